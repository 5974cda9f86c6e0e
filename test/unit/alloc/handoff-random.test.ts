import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import type { SectionId, Slot } from '../../../src/model/ids.js';
import { HandoffStage, type TestAlloc } from './handoff-stage.js';

const SECTIONS = 4;
/** Few uids on few pages, so that they meet. */
const SLOTS = [0, 1, 1500, 2999] as const;
/** What the arbiter waits after the last renewal that it answered, in ms. */
const WAIT_MS = 3_162;
const UNKNOWN = new SeqError('TIMEOUT', 'no answer');

/** Every number that a uid got, and what the rules say about the next one. */
class History {
  readonly #taken = new Map<string, Set<bigint>>();
  readonly #highest = new Map<string, bigint>();
  count = 0;

  highest(uid: string): bigint {
    return this.#highest.get(uid) ?? 0n;
  }

  /** `floor`: the highest number that had returned before the call began. */
  returned(uid: string, { first, last, floor }: { first: bigint; last: bigint; floor: bigint }): void {
    const taken = this.#taken.get(uid) ?? new Set();
    this.#taken.set(uid, taken);
    for (let seq = first; seq <= last; seq++) {
      expect(taken.has(seq), `No number is handed out twice for a uid: ${seq} of ${uid}`).to.equal(false);
      taken.add(seq);
    }
    expect(first > floor, `greater than every number that had returned: ${first} after ${floor} of ${uid}`).to.equal(true);
    if (last > this.highest(uid)) this.#highest.set(uid, last);
    this.count += 1;
  }

  /** No uid jumped: its numbers are 1, 2, 3 and so on. */
  expectNoGaps(): void {
    for (const [uid, taken] of this.#taken) expect(BigInt(taken.size), `the numbers of ${uid}`).to.equal(this.highest(uid));
  }
}

/** A cluster whose every step is drawn: what the arbiter does, what clients do, and what goes wrong. */
class Play {
  readonly stage: HandoffStage;
  readonly history = new History();
  readonly #isHostile: boolean;
  readonly #pending: Promise<void>[] = [];

  constructor(seed: number, { isHostile }: { isHostile: boolean }) {
    this.stage = new HandoffStage(seed);
    this.#isHostile = isHostile;
  }

  async run(steps: number): Promise<void> {
    for (const id of ['a', 'b', 'c']) await this.stage.start(id, { file: true });
    this.#arbitrate();
    for (let step = 0; step < steps; step++) await this.#step();
    for (const alloc of this.stage.allocs.values()) alloc.node.stop();
    await this.stage.clock.elapse(5000);
    await Promise.all(this.#pending);
  }

  async #step(): Promise<void> {
    const { dice, clock } = this.stage;
    const roll = dice.below(100);
    if (roll < 60) this.#call();
    else if (roll < 70) this.#move();
    else if (roll < 95 || !this.#isHostile) await clock.elapse(dice.pick([0, 1, 10, 60, 250]));
    else await this.#harm();
    this.#arbitrate();
  }

  #call(): void {
    const { dice } = this.stage;
    const section = dice.below(SECTIONS);
    const slot = dice.pick(SLOTS);
    const uid = `${section}/${slot}`;
    const count = dice.pick([1, 1, 3, 150]);
    const floor = this.history.highest(uid);
    const alloc = this.#pick();
    const ask = { section: section as SectionId, slot: slot as Slot, count, floor: 0n };
    const ignore = (error: unknown): void => {
      if (!SeqError.is(error)) throw error;
    };
    try {
      const taken = alloc.node.next(ask, this.stage.patience(dice.pick([5, 500, 3000])));
      if (taken instanceof Promise) this.#pending.push(taken.then((later) => this.history.returned(uid, { ...later, floor })).catch(ignore));
      else this.history.returned(uid, { ...taken, floor });
      if (!(taken instanceof Promise) && this.stage.section(section).epoch === taken.epoch) {
        expect(taken.last <= this.stage.section(section).maxSeq, 'curSeq <= maxSeq committed by Raft').to.equal(true);
      }
      this.#read(alloc, section, slot, uid);
    } catch (error) {
      ignore(error);
    }
  }

  /** `current` is never below what returned before it. */
  #read(alloc: TestAlloc, section: number, slot: number, uid: string): void {
    const floor = this.history.highest(uid);
    const found = alloc.node.current({ section: section as SectionId, slot: slot as Slot, floor: 0n }, this.stage.patience(5));
    if (found instanceof Promise) found.catch(() => undefined);
    else expect(found.seq >= floor, `current ${found.seq} below ${floor} of ${uid}`).to.equal(true);
  }

  #move(): void {
    const { dice, state } = this.stage;
    const to = this.#pick();
    const sections = Array.from({ length: SECTIONS }, (_, section) => section).filter((section) => {
      const { owner, next } = state.sections[section]!;
      return owner !== undefined && owner.allocId !== to.id && next === undefined && dice.chance(0.5);
    });
    if (to.isUp && sections.length > 0) this.stage.planMove(this.stage.caller(to), ...sections);
  }

  async #harm(): Promise<void> {
    const { dice, faults, failures, lost, clock, cutOff } = this.stage;
    const alloc = this.#pick();
    switch (dice.below(10)) {
      case 0:
        faults.isDown = !faults.isDown;
        break;
      case 1:
        faults.breakAt = dice.pick([0, 1, 2, Number.POSITIVE_INFINITY]);
        break;
      case 2:
        faults.delayMs = dice.pick([0, 5, 400]);
        break;
      case 3:
        if (!lost.delete('release')) lost.add('release');
        break;
      case 4:
        if (!failures.delete('release')) failures.set('release', UNKNOWN);
        break;
      case 5:
        clock.stall(dice.pick([100, 2900, 5000]));
        break;
      case 6:
        if (!cutOff.delete(alloc.id)) cutOff.add(alloc.id);
        break;
      case 7:
        if (alloc.isUp) this.stage.crash(alloc);
        break;
      case 8:
        if (alloc.isUp) await Promise.race([alloc.node.drain({ withinMs: 1000 }), clock.elapse(1500)]);
        this.stage.crash(alloc);
        break;
      default:
        if (!alloc.isUp && !cutOff.has(alloc.id)) {
          alloc.node.stop();
          await this.stage.start(alloc.id, { file: dice.chance(0.7) });
        }
    }
  }

  /** What nobody can serve goes to somebody: the owner released it, or its lease is surely over. */
  #arbitrate(): void {
    const { state, clock, heardAtMs, dice } = this.stage;
    const living = [...this.stage.allocs.values()].filter(({ isUp, id, incarnation }) => isUp && state.mayOwn({ allocId: id, incarnation }));
    if (living.length === 0) return;
    for (let section = 0; section < SECTIONS; section++) {
      const { owner } = state.sections[section]!;
      const silentMs =
        owner === undefined ? Number.POSITIVE_INFINITY : clock.nowMs() - (heardAtMs.get(owner.incarnation) ?? Number.NEGATIVE_INFINITY);
      if (silentMs >= WAIT_MS && (owner === undefined || dice.chance(0.3))) this.stage.assign(this.stage.caller(dice.pick(living)), section);
    }
  }

  #pick(): TestAlloc {
    return this.stage.dice.pick([...this.stage.allocs.values()]);
  }
}

describe('the hand-off, with every step drawn', () => {
  /** What all plays together came to. */
  const met = { numbers: 0, releases: 0, exact: 0, fellBack: 0 };

  for (let first = 1; first <= 33; first += 8) {
    it(`keeps every number unique and in order, whatever breaks, is lost or crashes (seeds ${first} to ${first + 7})`, async () => {
      for (let seed = first; seed < first + 8; seed++) {
        const play = new Play(seed, { isHostile: true });
        try {
          await play.run(250);
        } catch (error) {
          throw new Error(`seed ${seed}`, { cause: error });
        }
        met.numbers += play.history.count;
        met.releases += play.stage.releases.length;
        const types = [...play.stage.allocs.values()].flatMap(({ events }) => events.map(({ type }) => type));
        met.exact += types.filter((type) => type === 'handoffInstalled').length;
        met.fellBack += types.filter((type) => type === 'handoffFellBack').length;
      }
    });
  }

  it('met what it is about', () => {
    expect(met.numbers).to.be.greaterThan(800);
    expect(Math.min(met.releases, met.exact, met.fellBack), JSON.stringify(met)).to.be.greaterThan(10);
  });

  for (let first = 1; first <= 13; first += 4) {
    it(`jumps nobody when nothing goes wrong (seeds ${first} to ${first + 3})`, async () => {
      for (let seed = first; seed < first + 4; seed++) {
        const play = new Play(seed, { isHostile: false });
        await play.run(300);
        play.history.expectNoGaps();
        for (const { events, fatal } of play.stage.allocs.values()) {
          expect(events.filter(({ type }) => type === 'handoffFellBack')).to.deep.equal([]);
          expect(fatal).to.deep.equal([]);
        }
      }
    });
  }
});
