import { expect } from 'chai';
import { optional, SeqError } from '../../../src/base/errors.js';
import { Arbiter, type ArbiterPort, type Decision } from '../../../src/arbiter/arbiter.js';
import type { Candidate, ClusterView } from '../../../src/arbiter/view.js';
import type { Incarnation } from '../../../src/model/ids.js';
import { waitMsOf } from '../../../src/model/lease.js';
import { VirtualClock } from '../virtual-clock.js';
import { candidate, holdings, incarnation, ownersAfter, viewOf } from './fixture.js';

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
  settle: (error?: Error) => void = () => undefined;

  constructor(current: ClusterView) {
    this.current = current;
  }

  view(): ClusterView | undefined {
    return this.current;
  }

  assign(decision: Decision): Promise<void> {
    return this.#take('assign', decision);
  }

  planMove(decision: Decision): Promise<void> {
    return this.#take('planMove', decision);
  }

  /** What was decided so far, with the moment on the clock. */
  get told(): readonly string[] {
    return this.decisions.map(
      ({ kind, moves }) => `${kind} ${moves.map(({ firstSection, sectionCount, to }) => `${firstSection}+${sectionCount} ${to.id}`).join(' ')}`,
    );
  }

  settleWait(settled: { readonly leaseNumber: number }): Promise<void> {
    this.settled.push(settled.leaseNumber);
    return Promise.resolve();
  }

  #take(kind: 'assign' | 'planMove', decision: Decision): Promise<void> {
    this.decisions.push({ ...decision, kind });
    const carryOut = (): void => {
      const view = this.current;
      if (view === undefined || kind === 'planMove') return;
      const owners = ownersAfter(view, decision.moves).map((id) => view.allocs.find((alloc) => alloc.id === id)?.incarnation);
      const version = { ...view.version, value: view.version.value + 1 };
      this.current = { ...view, version, holdings: holdings(...owners.map((owner) => [1, owner] as const)) };
    };
    if (!this.isSlow) {
      carryOut();
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      this.settle = (error) => {
        if (error !== undefined) return reject(error);
        carryOut();
        resolve();
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
    expect(port.told).to.deep.equal(['assign 0+2 a2 2+2 a2']);
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
});
