import { expect } from 'chai';
import { optional, SeqError } from '../../../src/base/errors.js';
import { Arbiter } from '../../../src/arbiter/arbiter.js';
import type { ArbiterPort, Decision } from '../../../src/arbiter/port.js';
import type { Candidate, ClusterView } from '../../../src/arbiter/view.js';
import { type Incarnation, toSectionId } from '../../../src/model/ids.js';
import { waitMsOf } from '../../../src/model/lease.js';
import { DEFAULT_POLICY } from '../../../src/model/policy.js';
import { VirtualClock } from '../virtual-clock.js';
import { candidate, holdings, incarnation, viewOf } from './fixture.js';

const [A, B] = [candidate('a1'), candidate('a2')];
const [a, b] = [A.incarnation, B.incarnation];
const WAIT_MS = waitMsOf(viewOf([], []).lease);
const RENEW_EVERY_MS = 500;
const LOOK_MS = 500;

/** A StoreSvr that carries decisions out when the test says so. */
class FakePort implements ArbiterPort {
  current: ClusterView | undefined;
  readonly decisions: (Decision & { readonly kind: 'assign' | 'planMove' })[] = [];
  readonly settled: number[] = [];
  /** At once, or when `settle` is called. */
  isSlow = false;
  /** Planned moves are through as soon as they are planned; otherwise nothing becomes of them. */
  movesAreQuick = false;
  settle: (error?: Error) => void = () => undefined;

  constructor(current: ClusterView) {
    this.current = current;
  }

  view(): ClusterView | undefined {
    return this.current;
  }

  assign(decision: Decision): Promise<string | undefined> {
    return this.#take('assign', decision);
  }

  planMove(decision: Decision): Promise<string | undefined> {
    return this.#take('planMove', decision);
  }

  /** What was decided so far, with the moment on the clock. */
  get told(): readonly string[] {
    return this.decisions.map(
      ({ kind, moves }) => `${kind} ${moves.map(({ firstSection, sectionCount, to }) => `${firstSection}+${sectionCount} ${to.id}`).join(' ')}`,
    );
  }

  settleWait(settled: { readonly leaseNumber: number }): Promise<string | undefined> {
    this.settled.push(settled.leaseNumber);
    if (this.current !== undefined) this.current = { ...this.current, waitMs: waitMsOf(this.current.lease) };
    return Promise.resolve(undefined);
  }

  #take(kind: 'assign' | 'planMove', decision: Decision): Promise<string | undefined> {
    this.decisions.push({ ...decision, kind });
    const carryOut = (): void => {
      const view = this.current;
      if (view === undefined || (kind === 'planMove' && !this.movesAreQuick)) return;
      const version = { ...view.version, value: view.version.value + 1 };
      const sections = view.holdings.flatMap((run) =>
        Array.from({ length: run.sectionCount }, (_, at) => ({ ...run, firstSection: toSectionId(run.firstSection + at), sectionCount: 1 })),
      );
      for (const { firstSection, sectionCount, to } of decision.moves) {
        for (let section: number = firstSection; section < firstSection + sectionCount; section += 1) {
          sections[section] = { ...sections[section]!, holder: to.incarnation, holderId: to.id, next: undefined, heir: undefined };
        }
      }
      this.current = { ...view, version, holdings: sections };
    };
    if (!this.isSlow) {
      carryOut();
      return Promise.resolve(undefined);
    }
    return new Promise((resolve, reject) => {
      this.settle = (error) => {
        if (error !== undefined) return reject(error);
        carryOut();
        resolve(undefined);
      };
    });
  }
}

describe('arbiter', () => {
  let clock: VirtualClock;
  let port: FakePort;
  let arbiter: Arbiter;
  let fatal: unknown[];

  function begin(view: ClusterView, onHeld?: (why: string | undefined) => void): void {
    clock = new VirtualClock();
    fatal = [];
    port = new FakePort(view);
    arbiter = new Arbiter({ port, clock, onFatal: (error) => fatal.push(error), ...optional('onHeld', onHeld) });
    arbiter.lead();
  }

  /** These runs renew on time, all the others are silent. */
  async function pass(ms: number, ...renewing: readonly Incarnation[]): Promise<void> {
    const untilMs = clock.nowMs() + ms;
    while (clock.nowMs() < untilMs) {
      for (const run of renewing) if (arbiter.mayRenew(run)) arbiter.heard(run);
      await clock.elapse(Math.min(RENEW_EVERY_MS, untilMs - clock.nowMs()));
    }
  }

  it("gives a silent one's sections away exactly when its lease is surely over, not one millisecond earlier", async () => {
    begin(viewOf([A, B], holdings([2, a], [2, b])));
    await pass(1_000, a, b);
    arbiter.heard(a);
    await pass(WAIT_MS - 1, b);
    expect(port.told).to.deep.equal([]);
    await pass(1, b);
    expect(port.told).to.deep.equal(['assign 0+2 a2']);
    expect(port.decisions[0]).to.deep.include({ arbiterTerm: 3, basedOn: { generation: 1, value: 7 }, reason: 'lease over: a1' });
  });

  it('counts from becoming leader for whoever it never heard: a former leader may have answered until then', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, b])));
    await pass(WAIT_MS - 1, b);
    expect(port.told).to.deep.equal([]);
    await pass(1, b);
    expect(port.told).to.deep.equal(['assign 0+2 a2']);
  });

  it('begins all waits anew when it leads again', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, b])));
    for (const end of [() => arbiter.stop(), () => undefined]) {
      await pass(WAIT_MS - 1, b);
      end();
      arbiter.lead();
    }
    await pass(WAIT_MS - 1, b);
    expect(port.told).to.deep.equal([]);
    await pass(1, b);
    expect(port.told.length).to.equal(1);
  });

  it('waits out a superseded run, though its successor is well', async () => {
    const newer = candidate('a1', 2);
    begin(viewOf([newer, B], holdings([2, a], [2, b])));
    await pass(1_000, b, newer.incarnation);
    // The former run's last renewal, answered just before the newer one registered.
    arbiter.heard(a);
    await pass(WAIT_MS - 1, b, newer.incarnation);
    expect(port.told).to.deep.equal([]);
    await pass(1, b, newer.incarnation);
    expect(port.told).to.deep.equal(['assign 0+2 a1']);
    expect(port.decisions[0]?.moves[0]?.to.incarnation).to.equal(newer.incarnation);
    expect(port.decisions[0]?.reason).to.equal('former runs are over');
  });

  it('gives away what nobody owns at once', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, undefined])));
    await pass(1, a, b);
    expect(port.told).to.deep.equal(['assign 2+2 a1']);
    expect(port.decisions[0]?.reason).to.equal('sections without an owner');
  });

  it('moves nothing while nobody is there to take it, and looks again when someone comes', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, undefined])));
    await pass(10_000);
    expect(port.told).to.deep.equal([]);
    await pass(1, b);
    expect(port.told).to.deep.equal(['assign 0+4 a2']);
  });

  it('answers no renewal of a run that it is disowning until the fate of the entry is known', async () => {
    for (const outcome of [undefined, new SeqError('UNAVAILABLE', 'refused')]) {
      begin(viewOf([A, B], holdings([2, a], [2, b])));
      port.isSlow = true;
      await pass(WAIT_MS, b);
      expect(port.told).to.deep.equal(['assign 0+2 a2']);
      expect([arbiter.mayRenew(a), arbiter.mayRenew(b)]).to.deep.equal([false, true]);
      await pass(60_000, b);
      expect(port.decisions.length, 'one decision at a time').to.equal(1);
      expect(arbiter.mayRenew(a)).to.equal(false);
      port.settle(outcome);
      await clock.settle();
      expect(arbiter.mayRenew(a)).to.equal(true);
      arbiter.stop();
    }
  });

  it('stops answering in the very step in which it decides', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, b])));
    let couldRenew: boolean | undefined;
    port.assign = () => {
      couldRenew = arbiter.mayRenew(a);
      return new Promise(() => undefined);
    };
    await pass(WAIT_MS, b);
    expect(arbiter.mayRenew(a)).to.equal(false);
    expect(couldRenew, 'when it proposes').to.equal(false);
  });

  it('decides again after a refusal, on the version of then, and without spinning', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, b])));
    port.assign = (decision) => {
      port.decisions.push({ ...decision, kind: 'assign' });
      port.current = { ...port.current!, version: { generation: 1, value: decision.basedOn.value + 1 } };
      return Promise.reject(new SeqError('UNAVAILABLE', 'refused'));
    };
    await pass(WAIT_MS, b);
    await pass(100, b);
    expect(port.decisions.map(({ basedOn }) => basedOn.value).slice(0, 3)).to.deep.equal([7, 8, 9]);
    expect(port.decisions.length).to.be.within(3, 22);
  });

  it('does not decide on what a former term decided: a late refusal opens nothing in the next one', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, b])));
    port.isSlow = true;
    await pass(WAIT_MS, b);
    const settleOld = port.settle;
    arbiter.stop();
    arbiter.lead();
    expect(arbiter.mayRenew(a), 'the old entry carries the old term and is refused').to.equal(true);
    settleOld(new SeqError('UNAVAILABLE', 'the term is over'));
    await pass(WAIT_MS - 1, b);
    expect(port.decisions.length).to.equal(1);
    await pass(1, b);
    expect(port.decisions.length).to.equal(2);
    expect(arbiter.mayRenew(a)).to.equal(false);
    settleOld(new SeqError('UNAVAILABLE', 'once more'));
    await clock.settle();
    expect(arbiter.mayRenew(a)).to.equal(false);
  });

  it('starts a wait again, once, when a clock steps back, and never waits longer than that', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, b])));
    await pass(3_000, b);
    clock.jumpWall(-3_600_000);
    arbiter.wake();
    await pass(1_000, b);
    clock.jumpWall(-3_600_000);
    await pass(WAIT_MS - 1_001, b);
    expect(port.told).to.deep.equal([]);
    await pass(1, b);
    expect(port.told).to.deep.equal(['assign 0+2 a2']);
  });

  it('does not wait a moment less when the date is set forward, or after a suspend', async () => {
    for (const change of [() => clock.jumpWall(3_600_000), () => clock.suspend(3_600_000)]) {
      begin(viewOf([A, B], holdings([2, a], [2, b])));
      change();
      await pass(WAIT_MS - 1, b);
      expect(port.told).to.deep.equal([]);
      await pass(1, b);
      expect(port.told.length).to.equal(1);
      arbiter.stop();
    }
  });

  it('lets a fresh set settle, so that all who start together get a share', async () => {
    begin(viewOf([A, B], holdings([6, undefined])));
    await pass(400, a);
    await pass(499, a, b);
    expect(port.told).to.deep.equal([]);
    await pass(1, a, b);
    expect(port.told).to.deep.equal(['assign 0+3 a1 3+3 a2']);
  });

  it('gives what is left to those that came, when one that is registered stays silent', async () => {
    begin(viewOf([A, B], holdings([6, undefined])));
    await pass(2_999, a);
    expect(port.told).to.deep.equal([]);
    await pass(500, a);
    expect(port.told).to.deep.equal(['assign 0+6 a1']);
  });

  it('plans a move for a newcomer once all has been quiet for two seconds, and disowns nobody by it', async () => {
    begin(viewOf([A, B], holdings([10, a])));
    port.isSlow = true;
    await pass(1_999, a, b);
    expect(port.told).to.deep.equal([]);
    await pass(501, a, b);
    expect(port.told).to.deep.equal(['planMove 5+5 a2']);
    expect([arbiter.mayRenew(a), arbiter.mayRenew(b)]).to.deep.equal([true, true]);
  });

  it('decides nothing while the store shows it nothing to decide on', async () => {
    begin(viewOf([A, B], holdings([4, undefined])));
    port.current = undefined;
    await pass(10_000, a, b);
    expect(port.told).to.deep.equal([]);
  });

  it('says how long ago a run was heard', async () => {
    begin(viewOf([A], holdings([1, a])));
    expect(arbiter.heardMsAgo(a)).to.equal(undefined);
    arbiter.heard(a);
    await pass(700);
    expect(arbiter.heardMsAgo(a)).to.equal(700);
  });

  it('ends the process for a bug in a decision, and does not try it again and again', async () => {
    begin(viewOf([A, B], holdings([2, undefined])));
    port.assign = () => Promise.reject(new TypeError('a bug'));
    await pass(2_000, a, b);
    expect(fatal.map(String)).to.deep.equal(['TypeError: a bug']);
  });

  it('ends with its leadership: nobody may renew, nothing is decided, no timer is left', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, undefined])));
    arbiter.stop();
    expect([arbiter.mayRenew(a), arbiter.heardMsAgo(a), clock.timerCount]).to.deep.equal([false, undefined, 0]);
    arbiter.heard(a);
    arbiter.wake();
    await clock.elapse(60_000);
    expect([port.told, clock.timerCount]).to.deep.equal([[], 0]);
  });

  it('leaves no timer behind when it is stopped with a decision under way', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, undefined])));
    port.isSlow = true;
    await pass(1, b);
    arbiter.stop();
    port.settle();
    await clock.settle();
    expect(clock.timerCount).to.equal(0);
  });

  it('knows nothing of runs that left the cluster', async () => {
    const gone: Candidate = candidate('a3');
    begin(viewOf([A, gone], holdings([2, a])));
    await pass(100, a, gone.incarnation);
    port.current = viewOf([A], holdings([2, a]));
    await pass(1_000, a);
    expect(arbiter.heardMsAgo(incarnation('a3'))).to.equal(undefined);
  });

  it('gives away what a run had that was seen to end, in the turn in which it hears of it', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, b])));
    await pass(1_000, a, b);
    port.current = { ...port.current!, allocs: [B], dead: new Set([a]) };
    arbiter.wake();
    expect(port.told).to.deep.equal(['assign 0+2 a2']);
  });

  it('waits as long as is committed, not as the lease says: it was lowered a moment ago', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, b]), { waitMs: WAIT_MS * 2, leaseNumber: 1 }));
    await pass(WAIT_MS * 2 - 1, b);
    expect(port.told).to.deep.equal([]);
    await pass(1, b);
    expect(port.told).to.deep.equal(['assign 0+2 a2']);
  });

  it('lets the wait follow a lowered lease after one whole former wait under this leader, and begins anew with another lease', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, b]), { waitMs: WAIT_MS * 2, leaseNumber: 1 }));
    await pass(WAIT_MS * 2 - LOOK_MS, a, b);
    expect(port.settled).to.deep.equal([]);
    port.current = { ...port.current!, leaseNumber: 2 };
    await pass(WAIT_MS * 2 - LOOK_MS, a, b);
    expect(port.settled).to.deep.equal([]);
    await pass(LOOK_MS * 3, a, b);
    expect(port.settled).to.deep.equal([2]);
  });

  it('says why nothing is decided, once, and when that is over', async () => {
    const told: (string | undefined)[] = [];
    begin(viewOf([A, B], holdings([2, undefined], [2, b])), (why) => told.push(why));
    port.current = { ...port.current!, policy: { ...port.current!.policy, isPaused: true } };
    await pass(2_000, a, b);
    expect(port.told).to.deep.equal([]);
    port.current = { ...port.current, policy: { ...port.current.policy, isPaused: false } };
    await pass(1_000, a, b);
    expect(told).to.deep.equal(['paused by an operator', undefined]);
    expect(port.told).to.have.length(1);
  });

  it('decides again after what was refused later and later, whatever wakes it', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, undefined])));
    port.assign = (decision) => {
      port.decisions.push({ ...decision, kind: 'assign' });
      return Promise.resolve('decided on another version');
    };
    for (let ms = 0; ms < 10_000; ms += 50) {
      arbiter.wake();
      await pass(50, a, b);
    }
    expect(port.decisions.length).to.be.within(12, 20);
    expect(arbiter.status()!.refusedCount).to.equal(port.decisions.length);
    expect(arbiter.status()!.decisionCount).to.equal(0);
  });

  it('lets nothing of a former term end a decision of this one', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, b])));
    port.isSlow = true;
    await pass(WAIT_MS, b);
    const settleOld = port.settle;
    arbiter.stop();
    arbiter.lead();
    await pass(WAIT_MS, b);
    expect(port.decisions.length).to.equal(2);
    settleOld(new SeqError('UNAVAILABLE', 'the term is over'));
    await pass(5_000, b);
    expect(port.decisions.length, 'one decision at a time').to.equal(2);
    expect(arbiter.mayRenew(a)).to.equal(false);
  });

  it('stops answering only those that it takes something from', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, b], [2, undefined])));
    port.isSlow = true;
    await pass(1, b);
    expect(port.told).to.deep.equal(['assign 4+2 a2']);
    expect(arbiter.mayRenew(a)).to.equal(true);
  });

  it('puts the brake on with the first lease that is over, though renewals were spread over time, and off when enough came back', async () => {
    const [C, D] = [candidate('a3'), candidate('a4')];
    const told: (string | undefined)[] = [];
    const policy = DEFAULT_POLICY;
    begin(viewOf([A, B, C, D], holdings([2, a], [2, b], [2, C.incarnation], [2, D.incarnation]), { policy }), (why) => told.push(why));
    for (const run of [a, b, C.incarnation]) {
      arbiter.heard(run);
      await clock.elapse(150);
      arbiter.heard(D.incarnation);
    }
    await pass(120_000, D.incarnation);
    expect(port.told).to.deep.equal([]);
    expect(arbiter.status()!.brake).to.deep.equal({ silent: ['a1', 'a2', 'a3'], ofCount: 4 });
    expect(arbiter.heldBy).to.match(/^3 of 4 AllocSvrs are silent/);
    expect(told.length, 'it is said again every minute').to.be.within(2, 3);
    await pass(1_000, D.incarnation, a);
    expect(port.told).to.deep.equal(['assign 2+2 a1 4+2 a4']);
    expect([told.at(-1), arbiter.heldBy]).to.deep.equal([undefined, undefined]);
  });

  it('waits ten seconds for those that gave their counters back in a clean stop, and gives each its own again', async () => {
    const left = holdings([2, undefined], [2, undefined]).map((run, at) => ({ ...run, heir: [A.id, B.id][at] }));
    begin(viewOf([B], left));
    await pass(100_000);
    await pass(9_000, b);
    expect(port.told).to.deep.equal(['assign 2+2 a2']);
    port.current = { ...port.current!, allocs: [A, B] };
    await pass(500, a, b);
    expect(port.told).to.deep.equal(['assign 2+2 a2', 'assign 0+2 a1']);

    arbiter.stop();
    begin(viewOf([B], left));
    await pass(9_999, b);
    expect(port.told).to.deep.equal(['assign 2+2 a2']);
    await pass(501, b);
    expect(port.told, 'it does not come').to.deep.equal(['assign 2+2 a2', 'assign 0+2 a2']);
  });

  it('empties a draining one part after part, without rest between them', async () => {
    const policy = { ...viewOf([], []).policy, movesInFlightMax: 4 };
    begin(viewOf([B], holdings([10, a], [2, b]), { draining: [A], policy }));
    port.movesAreQuick = true;
    await pass(100, a, b);
    expect(port.told).to.deep.equal(['planMove 0+4 a2', 'planMove 4+4 a2', 'planMove 8+2 a2']);
    expect(arbiter.status()!.decisionCount).to.equal(3);
  });

  it('levels for a newcomer in parts, then leaves loads alone for a minute', async () => {
    const policy = { ...viewOf([], []).policy, movesInFlightMax: 3 };
    begin(viewOf([A, B], holdings([10, a]), { policy }));
    port.movesAreQuick = true;
    await pass(3_000, a, b);
    expect(port.told).to.deep.equal(['planMove 5+3 a2', 'planMove 8+2 a2']);
    const loads = [2, 3].map((section) => ({ section: toSectionId(section), callsPerSecond: 10_000 }));
    const renewing = async (ms: number): Promise<void> => {
      for (let passedMs = 0; passedMs < ms; passedMs += RENEW_EVERY_MS) {
        arbiter.heard(a, loads);
        await pass(RENEW_EVERY_MS, b);
      }
    };
    await renewing(55_000);
    expect(port.told.length).to.equal(2);
    expect(Math.round(arbiter.callsPerSecond(a))).to.equal(20_000);
    await renewing(15_000);
    expect(port.told.slice(2)).to.deep.equal(['planMove 3+1 a2']);
  });

  it('carries out what an operator wants also while paused, in parts, and leaves it there', async () => {
    const policy = { ...DEFAULT_POLICY, isPaused: true, movesInFlightMax: 2 };
    begin(viewOf([A, B], holdings([4, a], [4, b]), { policy }));
    port.movesAreQuick = true;
    await pass(500, a, b);
    const moved = arbiter.move({ firstSection: 4, sectionCount: 4 }, A.id, { reason: 'because' });
    await pass(100, a, b);
    expect(await moved).to.deep.equal([{ firstSection: 4, sectionCount: 4, to: A }]);
    expect(port.told).to.deep.equal(['planMove 4+2 a1', 'planMove 6+2 a1']);
    expect(port.decisions[0]!.reason).to.equal('operator: because');
    port.current = { ...port.current!, policy: { ...policy, isPaused: false } };
    await pass(60_000, a, b);
    expect(port.told.length, 'the planner would have levelled them').to.equal(2);
    const levelled = arbiter.rebalance({ reason: '' });
    await pass(100, a, b);
    expect(await levelled).to.deep.equal([{ firstSection: 4, sectionCount: 4, to: B }]);
    expect(port.told.slice(2)).to.deep.equal(['planMove 4+2 a2', 'planMove 6+2 a2']);
    expect(port.decisions[2]!.reason).to.equal('operator: spread evenly');
  });

  it('levels again when one that went comes back, though those who are there are the ones for whom an operator placed them', async () => {
    begin(viewOf([A, B], holdings([8, a])));
    port.movesAreQuick = true;
    await pass(500, a, b);
    const levelled = arbiter.rebalance({ reason: '' });
    await pass(500, a, b);
    expect((await levelled).length).to.equal(1);
    port.current = { ...port.current!, allocs: [A], draining: [B] };
    await pass(5_000, a, b);
    expect(port.told).to.deep.equal(['planMove 4+4 a2', 'planMove 4+4 a1']);
    port.current = { ...port.current, allocs: [A, B], draining: [] };
    await pass(5_000, a, b);
    expect(port.told.slice(2)).to.deep.equal(['planMove 4+4 a2']);
  });

  it('only says what it would do in a dry run, and of its own accord', async () => {
    begin(viewOf([A, B], holdings([10, a]), { policy: { ...DEFAULT_POLICY, isPaused: true } }));
    await pass(3_000, a, b);
    const dry = { reason: '', isDryRun: true };
    expect(await arbiter.rebalance(dry)).to.deep.equal([{ firstSection: 5, sectionCount: 5, to: B }]);
    expect(await arbiter.move({ firstSection: 0, sectionCount: 1 }, B.id, dry)).to.deep.equal([{ firstSection: 0, sectionCount: 1, to: B }]);
    const { step, heldBy } = arbiter.plan();
    expect(step).to.deep.include({ kind: 'planMove', moves: [{ firstSection: 5, sectionCount: 5, to: B }], reason: 'spread evenly' });
    expect(heldBy).to.equal('paused by an operator');
    await pass(5_000, a, b);
    expect(port.told).to.deep.equal([]);
  });

  it('refuses wishes that cannot be, that are too many, and those of which the term ends', async () => {
    begin(viewOf([A, B], holdings([10, a])));
    port.isSlow = true;
    await pass(500, a, b);
    const failures: string[] = [];
    const failed = (error: unknown): void => {
      failures.push((error as SeqError).code);
    };
    await arbiter.move({ firstSection: 0, sectionCount: 11 }, B.id, { reason: '' }).catch(failed);
    expect(failures).to.deep.equal(['INVALID_ARGUMENT']);
    for (let wish = 0; wish < 17; wish += 1) arbiter.move({ firstSection: 0, sectionCount: 1 }, B.id, { reason: '' }).catch(failed);
    await clock.settle();
    expect(failures.slice(1)).to.deep.equal(['RESOURCE_EXHAUSTED']);
    arbiter.stop();
    await clock.settle();
    expect(failures.slice(2)).to.deep.equal(Array(16).fill('UNAVAILABLE'));
    await arbiter.rebalance({ reason: '' }).catch(failed);
    expect(failures.at(-1)).to.equal('UNAVAILABLE');
    expect([arbiter.status(), arbiter.situation(), arbiter.heldBy]).to.deep.equal([undefined, undefined, undefined]);
  });

  it('gives wishes up when planned moves do not get on, and calls those off', async () => {
    begin(viewOf([A, B], holdings([4, a, b], [4, b])));
    const kept: (string | undefined)[] = [];
    await pass(500, a, b);
    arbiter.move({ firstSection: 4, sectionCount: 4 }, A.id, { reason: '' }).then(
      () => kept.push('planned'),
      () => kept.push('given up'),
    );
    await pass(10_500, a, b);
    expect(kept).to.deep.equal(['planned']);
    expect(port.told.at(-1)).to.equal('planMove 0+4 a1');
    expect(port.decisions.at(-1)!.reason).to.match(/^called off: planned moves do not get on/);
  });

  it('waits for a lowered lease by all clocks: a date that is set forward does not shorten it', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, b]), { waitMs: WAIT_MS * 2, leaseNumber: 1 }));
    await pass(100, a, b);
    clock.jumpWall(3_600_000);
    clock.suspend(3_600_000);
    await pass(WAIT_MS * 2 - 101, a, b);
    expect(port.settled).to.deep.equal([]);
    await pass(LOOK_MS, a, b);
    expect(port.settled).to.deep.equal([1]);
  });

  it('waits for a lowered lease under one leader: a new one begins anew', async () => {
    begin(viewOf([A, B], holdings([2, a], [2, b]), { waitMs: WAIT_MS * 2, leaseNumber: 1 }));
    for (let term = 0; term < 3; term += 1) {
      await pass(WAIT_MS, a, b);
      arbiter.stop();
      arbiter.lead();
    }
    expect(port.settled).to.deep.equal([]);
  });

  it('says who is heard, what is on its way and what was decided', async () => {
    begin(viewOf([A], holdings([3, a], [2, a, b]), { draining: [B] }));
    port.movesAreQuick = true;
    arbiter.heard(a, [{ section: toSectionId(0), callsPerSecond: 30 }]);
    await pass(200);
    expect(arbiter.status()).to.deep.equal({
      heldBy: undefined,
      brake: undefined,
      isPaused: false,
      movingCount: 0,
      decisionCount: 1,
      refusedCount: 0,
      heard: [
        { id: 'a1', incarnation: a, heardMsAgo: 200, waitLeftMs: WAIT_MS - 200, callsPerSecond: 30 },
        { id: 'a2', incarnation: b, heardMsAgo: undefined, waitLeftMs: WAIT_MS - 200, callsPerSecond: 0 },
      ],
    });
    expect(port.decisions[0]!.reason, 'to one that is draining').to.match(/^called off/);
  });
});
