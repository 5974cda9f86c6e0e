import { expect } from 'chai';
import fc from 'fast-check';
import type { Command } from '../../../src/store/command.js';
import type { Section, StoreState } from '../../../src/store/state.js';
import type { Result } from '../../../src/store/state-machine.js';
import { dump, INIT, run, TestReplica } from './fixture.js';
import { randomCommand } from './random-command.js';

/** One number makes one command; the log is in term 2, so that a former term can be wrong. */
const TERM = 2;
const script = fc.array(fc.nat(), { maxLength: 80, size: 'max' });

describe('state machine, whatever the log says', function () {
  this.timeout(30_000);

  it('keeps its invariants after each command, and changes nothing when it refuses', () => {
    const told = new Map<string, number>();
    fc.assert(
      fc.property(script, (seeds) => {
        const store = begun();
        const windows = new Windows();
        for (const seed of seeds) {
          const command = randomCommand(seed, store.state, TERM);
          const before = dump(store.state);
          const result = store.run(command, TERM);
          told.set(`${command.type} ${result.type}`, (told.get(`${command.type} ${result.type}`) ?? 0) + 1);
          if (result.type === 'refused') expect(dump(store.state)).to.deep.equal(before);
          checkStep(before, store.state, { command, result });
          windows.check(before.sections, store.state.sections, command.type);
        }
      }),
      // One seed for all, so that what must have been seen below was seen. Others: change it.
      { numRuns: 80, seed: 20_261_122 },
    );
    // Without these the property would say little.
    for (const seen of ['assign decided', 'assign refused', 'planMove decided', 'raise raises', 'release released', 'register refused'])
      expect(told.get(seen), seen).to.be.greaterThan(5);
  });

  it('makes equal hashes and equal records on two replicas, one of which starts again in the middle', () => {
    fc.assert(
      fc.property(script, fc.nat({ max: 80 }), (seeds, restartAt) => {
        const [one, other] = [begun(), begun()];
        seeds.forEach((seed, index) => {
          if (index === restartAt) other.restart();
          const command = randomCommand(seed, one.state, TERM);
          expect(one.run(command, TERM)).to.deep.equal(other.run(command, TERM));
          expect(one.replica.hash).to.equal(other.replica.hash);
        });
        other.restart();
        expect(dump(other.state)).to.deep.equal(dump(one.state));
        expect(other.disk).to.deep.equal(one.disk);
        expect(other.state.table()).to.deep.equal(one.state.table());
      }),
      { numRuns: 60 },
    );
  });
});

function begun(): TestReplica {
  return TestReplica.with(run('a1'), run('a2'), run('a3'));
}

function checkStep(
  before: ReturnType<typeof dump>,
  { sections, version }: StoreState,
  { command, result }: { command: Command; result: Result },
): void {
  expect(version.generation).to.equal(INIT.generation);
  expect(version.value).to.be.at.least(before.cluster!.version.value);
  sections.forEach((after, index) => {
    const was = before.sections[index]!;
    if (was === after) return;
    expect(after.base <= after.maxSeq, 'base <= maxSeq').to.equal(true);
    expect(after.epoch, 'epochs never go back').to.be.at.least(was.epoch);
    if (command.type !== 'release') expect(after.maxSeq >= was.maxSeq, 'maxSeq goes back in release only').to.equal(true);
    expect(after.base >= was.base, 'base never goes back').to.equal(true);
    if (after.handoff !== undefined)
      expect(after.handoff.epoch, 'what an epoch left behind is for the next one alone').to.equal(after.epoch - (after.owner === undefined ? 0 : 1));
    if (after.owner !== was.owner) expect(command.type, 'only assign and release change an owner').to.match(/^(assign|release)$/);
    if (after.epoch !== was.epoch || after.owner !== was.owner) {
      expect(version.value, 'a change that clients see has a version').to.be.greaterThan(before.cluster!.version.value);
    }
    expect(result.type).to.not.equal('refused');
  });
}

/**
 * What each epoch of each section may hand out at most: (base, top]. An owner that lost its section may go on for as
 * long as it likes, so `top` only goes down where the owner itself said, sealed, how far it came.
 */
class Windows {
  readonly #tops = new Map<number, bigint>();

  check(before: readonly Section[], after: readonly Section[], type: Command['type']): void {
    after.forEach((now, section) => {
      const was = before[section]!;
      const isReleased = type === 'release' && was.owner !== undefined && (now.owner === undefined || now.epoch !== was.epoch);
      const top = isReleased ? now.base : (this.#tops.get(section) ?? 0n);
      if (now.epoch !== was.epoch)
        expect(now.base >= top, `section ${section}: epoch ${now.epoch} begins above ${top}, at ${now.base}`).to.equal(true);
      this.#tops.set(section, now.maxSeq > top ? now.maxSeq : top);
    });
  }
}
