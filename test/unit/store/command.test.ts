import { expect } from 'chai';
import fc from 'fast-check';
import { SeqError } from '../../../src/base/errors.js';
import { SEQ_MAX } from '../../../src/model/ids.js';
import type { Command } from '../../../src/store/command.js';
import { decodeCommand, encodeCommand } from '../../../src/store/command-codec.js';
import { Command as CommandMessage } from '../../../src/rpc/gen/seqsvr/v1/log.js';
import { INIT, run } from './fixture.js';

const index = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const safe = fc.maxSafeNat();
const seq = fc.bigInt({ min: 0n, max: SEQ_MAX });
const text = fc.string({ unit: 'binary', maxLength: 20 });
const hex = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((value) => value.toString(16).padStart(32, '0'));
const caller = { allocId: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/), incarnation: hex };
const version = fc.record({ generation: safe, value: safe });
const LEASE_WIRE = { ...INIT.lease, waitMs: 1 };
const motive = { reason: text, atMs: safe };
const decision = {
  arbiterTerm: safe,
  basedOn: version,
  ...motive,
  runs: fc.array(fc.record({ ...caller, firstSection: index, sectionCount: index }), { maxLength: 5 }),
};
const geometry = fc
  .tuple(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 1, max: 10_000_000 }))
  .map(([firstUid, sections, uidsPerSection]) => {
    const lastUid = firstUid + BigInt(sections) * BigInt(uidsPerSection) - 1n;
    return { firstUid, lastUid: lastUid > 2n ** 64n - 1n ? 2n ** 64n - 1n : lastUid, uidsPerSection };
  });
const lease = fc.record({
  leaseMs: fc.integer({ min: 50, max: 600_000 }),
  driftPpm: fc.integer({ min: 0, max: 200_000 }),
  marginMs: fc.integer({ min: 0, max: 60_000 }),
});

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const policy = fc.record({
  placement: fc.constant('balanced'),
  standbys: fc.constant([]),
  isPaused: fc.boolean(),
  movesInFlightMax: fc.integer({ min: 1, max: 20_000 }),
  silentShareMaxPercent: fc.integer({ min: 1, max: 100 }),
});
const sets = fc.record({
  version: fc.integer({ min: 1, max: 1_000_000 }),
  home: fc.constant('main'),
  sets: fc.constant([
    { name: 'main', firstUid: 0n, lastUid: 9n, seeds: ['h:1', 'h:2'], clusterId: 'a'.repeat(32) },
    { name: 'more', firstUid: 10n, lastUid: 2n ** 64n - 1n, seeds: ['i:1'], clusterId: 'b'.repeat(32) },
  ]),
});

const member = { id: index, name: text, nodeUuid: hex, peerAddress: text, address: text };

const anyCommand = fc.oneof(
  fc.record({
    type: fc.constant('init'),
    clusterId: hex,
    generation: safe,
    geometry,
    lease,
    raiseBy: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
    members: fc.array(fc.record(member), { maxLength: 5 }),
  }),
  fc.record({ type: fc.constant('member'), ...member }),
  fc.record({ type: fc.constant('register'), ...caller, address: text, zone: text }),
  fc.record({ type: fc.constantFrom('assign', 'planMove'), ...decision }),
  fc.record({ type: fc.constantFrom('drain', 'reportDeath'), ...caller, ...motive }),
  fc.record({ type: fc.constantFrom('resume', 'removeAlloc'), allocId: caller.allocId, ...motive }),
  fc.record({ type: fc.constant('setPolicy'), policy, ...motive }),
  fc.record({ type: fc.constant('setLease'), lease, ...motive }),
  fc.record({ type: fc.constant('settleWait'), arbiterTerm: safe, leaseNumber: safe }),
  fc.record({ type: fc.constant('setSets'), basedOn: safe, isCopy: fc.boolean(), sets, ...motive }),
  fc.record({ type: fc.constant('raise'), ...caller, raises: fc.array(fc.record({ section: index, epoch: safe, to: seq }), { maxLength: 5 }) }),
  fc.record({
    type: fc.constant('release'),
    ...caller,
    generation: safe,
    releases: fc.array(
      fc.record(
        { firstSection: index, sectionCount: index, epoch: safe, trueMax: seq, digest },
        { requiredKeys: ['firstSection', 'sectionCount', 'epoch', 'trueMax'] },
      ),
      { maxLength: 5 },
    ),
  }),
) as unknown as fc.Arbitrary<Command>;

describe('command', () => {
  it('comes back from its bytes as it was, whatever it says', () => {
    fc.assert(
      fc.property(anyCommand, (command) => {
        expect(decodeCommand(encodeCommand(command))).to.deep.equal(plain(command));
      }),
      { numRuns: 500 },
    );
  });

  it('makes the same bytes each time: a proposal that is repeated is the same entry', () => {
    fc.assert(
      fc.property(anyCommand, (command) => {
        expect(Buffer.compare(encodeCommand(command), encodeCommand(decodeCommand(encodeCommand(command))))).to.equal(0);
      }),
    );
  });

  it('halts at a command that this version does not know: skipping it would fork the state', () => {
    // Field 1000, a message: what a later version might write.
    const later = Uint8Array.from([0xc2, 0x3e, 0x02, 0x08, 0x01]);
    for (const bytes of [later, new Uint8Array()]) {
      expect(() => decodeCommand(bytes))
        .to.throw(SeqError, 'does not know')
        .that.satisfies((error: SeqError) => error.code === 'PROTOCOL');
    }
  });

  it('halts as well, with the same code, at bytes that are no message', () => {
    expect(() => decodeCommand(Uint8Array.from([0x61, 0x31, 0x3a, 0x37])))
      .to.throw(SeqError, 'no message')
      .that.satisfies((error: SeqError) => error.code === 'PROTOCOL');
  });

  it('throws on what is cut short, and never reads another command into it', () => {
    const bytes = encodeCommand({
      type: 'assign',
      arbiterTerm: 3,
      basedOn: { generation: 5, value: 7 },
      runs: [{ ...run('a1'), firstSection: 0 as never, sectionCount: 9 }],
      reason: 'why',
      atMs: 1,
    });
    for (let length = 0; length < bytes.length; length += 1) expect(() => decodeCommand(bytes.slice(0, length)), `${length} bytes`).to.throw();
  });

  it('throws, or reads something well-formed, on garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        let command: Command;
        try {
          command = decodeCommand(bytes);
        } catch {
          return;
        }
        expect(decodeCommand(encodeCommand(command))).to.deep.equal(command);
      }),
      { numRuns: 2_000 },
    );
  });

  const rows: readonly (readonly [string, CommandMessage['command'], string])[] = [
    [
      'a decision that is based on nothing',
      { $case: 'assign', value: { arbiterTerm: 1n, basedOn: undefined, runs: [], reason: '', atUnixMs: 0n } },
      'based on',
    ],
    [
      'a bootstrap without a geometry',
      { $case: 'init', value: { ...INIT, lease: LEASE_WIRE, members: [], generation: 1n, geometry: undefined } },
      'geometry',
    ],
    ['a bootstrap without lease terms', { $case: 'init', value: { ...INIT, members: [], generation: 1n, lease: undefined } }, 'lease'],
    ['a seq past 2^63-1', { $case: 'raise', value: { ...run('a1'), raises: [{ section: 0, epoch: 1n, to: 2n ** 63n }] } }, '2^63-1'],
    ['an epoch past 2^53', { $case: 'raise', value: { ...run('a1'), raises: [{ section: 0, epoch: 2n ** 53n, to: 1n }] } }, 'epoch'],
    ['a caller without a name', { $case: 'raise', value: { ...run('a1'), allocId: '', raises: [] } }, 'alloc id'],
  ];
  for (const [name, command, why] of rows) {
    it(`refuses ${name}`, () => expect(() => decodeCommand(CommandMessage.encode({ command }).finish())).to.throw(SeqError, why));
  }
});

/** fast-check makes records without a prototype. */
function plain(command: Command): Command {
  return structuredClone(command);
}
