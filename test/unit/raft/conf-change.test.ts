import { expect } from 'chai';
import fc from 'fast-check';
import {
  type ConfChange,
  decodeConfChange,
  encodeConfChange,
  isSameConf,
  jointAutoLeave,
  leavesJoint,
  type Transition,
} from '../../../src/raft/conf-change.js';
import { changeOf, membersOf } from './test-node.js';

const anyChange: fc.Arbitrary<ConfChange> = fc.record({
  transition: fc.constantFrom('auto', 'implicit', 'explicit'),
  steps: fc.array(
    fc.record({ type: fc.constantFrom('addVoter', 'addLearner', 'remove', 'update'), nodeId: fc.integer({ min: 0, max: 2 ** 48 - 1 }) }),
    { maxLength: 5 },
  ),
  context: fc.uint8Array({ maxLength: 20 }),
});

describe('a change of members', () => {
  describe('as bytes', () => {
    it('comes back as it was, whatever it is', () => {
      fc.assert(
        fc.property(anyChange, (change) => {
          expect(decodeConfChange(encodeConfChange(change))).to.deep.equal(change);
        }),
      );
    });

    it('is read from the middle of a larger buffer too', () => {
      const bytes = encodeConfChange(changeOf('v4 r1', 'explicit'));
      const frame = new Uint8Array([9, 9, 9, ...bytes, 9]);
      expect(decodeConfChange(frame.subarray(3, 3 + bytes.length))).to.deep.equal(changeOf('v4 r1', 'explicit'));
    });

    it('that leaves a joint configuration is no bytes at all', () => {
      expect(encodeConfChange(changeOf('')).length).to.equal(0);
      expect(decodeConfChange(new Uint8Array())).to.deep.equal(changeOf(''));
    });

    it('cut off anywhere within its steps is refused', () => {
      const bytes = encodeConfChange(changeOf('v4 l5 r3'));
      for (let length = 1; length < bytes.length; length += 1)
        expect(decodeConfChange(bytes.subarray(0, length)), `${length} bytes`).to.equal(undefined);
    });

    it('with an unknown transition or kind of step is refused', () => {
      for (const at of [0, 3]) {
        const bytes = encodeConfChange(changeOf('v4'));
        bytes[at] = 17;
        expect(decodeConfChange(bytes), `byte ${at}`).to.equal(undefined);
      }
    });

    it('of anything is refused or read as something that is encoded alike: reading never throws', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
          const change = decodeConfChange(bytes);
          // All-default values have a shorter form.
          if (change !== undefined && bytes.some((byte) => byte > 0)) expect([...encodeConfChange(change)]).to.deep.equal([...bytes]);
        }),
        { numRuns: 2_000 },
      );
    });
  });

  const rows: readonly { steps: string; transition: Transition; autoLeave: boolean | undefined; leaves: boolean }[] = [
    { steps: '', transition: 'auto', autoLeave: undefined, leaves: true },
    { steps: 'v4', transition: 'auto', autoLeave: undefined, leaves: false },
    { steps: 'v4 r1', transition: 'auto', autoLeave: true, leaves: false },
    { steps: 'v4', transition: 'implicit', autoLeave: true, leaves: false },
    { steps: 'v4 r1', transition: 'implicit', autoLeave: true, leaves: false },
    { steps: 'v4', transition: 'explicit', autoLeave: false, leaves: false },
    { steps: 'v4 r1', transition: 'explicit', autoLeave: false, leaves: false },
  ];
  for (const { steps, transition, autoLeave, leaves } of rows) {
    const path = leaves
      ? 'leaves a joint configuration'
      : autoLeave === undefined
        ? 'is simple'
        : autoLeave
          ? 'is joint and left by itself'
          : 'is joint until it is left';
    it(`${transition} with the steps '${steps}' ${path}`, () => {
      const change = changeOf(steps, transition);
      expect([jointAutoLeave(change), leavesJoint(change)]).to.deep.equal([autoLeave, leaves]);
    });
  }

  it('leads to the same members only when every list is the same', () => {
    const conf = membersOf({ voters: [1, 2], votersOutgoing: [1, 3], learners: [4], learnersNext: [3], autoLeave: true });
    expect(isSameConf(conf, membersOf(conf))).to.equal(true);
    for (const other of [{ voters: [1] }, { votersOutgoing: [1, 2] }, { learners: [] }, { learnersNext: [1, 3] }, { autoLeave: false }])
      expect(isSameConf(conf, membersOf({ ...conf, ...other })), JSON.stringify(other)).to.equal(false);
  });
});
