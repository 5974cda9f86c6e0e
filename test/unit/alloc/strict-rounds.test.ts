import { expect } from 'chai';
import type { AllocEvent } from '../../../src/alloc/events.js';
import { type Claim, STRICT_WAITERS_MAX, StrictRounds } from '../../../src/alloc/strict-rounds.js';
import { SeqError } from '../../../src/base/errors.js';
import type { Epoch, SectionId } from '../../../src/model/ids.js';
import type { OwnedSection, StoreCall } from '../../../src/store/client.js';
import { VirtualClock } from '../virtual-clock.js';

interface Round {
  readonly sections: readonly OwnedSection[];
  readonly call: StoreCall;
  answer(owned?: readonly boolean[]): void;
  fail(error: SeqError): void;
}

const claim = (section: number, epoch = 1): Claim => ({ section: section as SectionId, epoch: epoch as Epoch });

describe('StrictRounds', () => {
  let clock: VirtualClock;
  let rounds: Round[];
  let events: AllocEvent[];
  let errors: SeqError[];
  let disownedCount: number;
  let strict: StrictRounds;
  let done: string[];

  /** Notes `name: sections that are ours`, or the error, once it is known. */
  const ask = (name: string, claims: readonly Claim[], { waitMs = 1_000, isCancelled = (): boolean => false } = {}): void => {
    strict.confirm(claims, { deadlineMs: clock.nowMs() + waitMs, isCancelled }).then(
      (owned) => done.push(`${name}: ${claims.flatMap((one) => (owned.has(one) ? [one.section] : [])).join(' ')}`),
      (error: SeqError) => done.push(`${name}: ${error.code}${error.definite ? '' : '?'}`),
    );
  };

  beforeEach(() => {
    clock = new VirtualClock();
    rounds = [];
    events = [];
    errors = [];
    disownedCount = 0;
    done = [];
    strict = new StrictRounds({
      clock,
      observe: (event) => events.push(event),
      confirm: (sections, call) =>
        new Promise((resolve, reject) => {
          rounds.push({ sections, call, answer: (owned = sections.map(() => true)) => resolve(owned), fail: reject });
        }),
      onError: (error) => errors.push(error),
      onDisowned: () => {
        disownedCount += 1;
      },
    });
  });

  it('confirms all that wait in one round, each section once', async () => {
    const [one, two] = [claim(1), claim(2)];
    ask('a', [one]);
    ask('b', [two, one]);
    ask('c', [one]);
    await clock.settle();
    expect(rounds.map(({ sections }) => sections)).to.deep.equal([[one, two]]);
    rounds[0]!.answer();
    await clock.settle();
    expect(done).to.deep.equal(['a: 1', 'b: 2 1', 'c: 1']);
  });

  it('lets a call that comes while a round is on its way wait for the next one, never for that one', async () => {
    const one = claim(1);
    ask('early', [one]);
    await clock.settle();
    ask('late', [one]);
    await clock.settle();
    expect(rounds, 'one at a time').to.have.length(1);
    rounds[0]!.answer();
    await clock.settle();
    expect(done).to.deep.equal(['early: 1']);
    expect(rounds).to.have.length(2);
    rounds[1]!.answer([false]);
    await clock.settle();
    expect(done).to.deep.equal(['early: 1', 'late: ']);
  });

  it('says which sections are not ours, and that the table is old', async () => {
    const [one, two] = [claim(1), claim(2)];
    ask('a', [one, two]);
    ask('b', [one]);
    await clock.settle();
    rounds[0]!.answer([true, false]);
    await clock.settle();
    expect(done).to.deep.equal(['a: 1', 'b: 1']);
    expect(disownedCount).to.equal(1);
  });

  it('fails the calls of a failed round, definitely, and goes on with the next', async () => {
    ask('a', [claim(1)]);
    await clock.settle();
    ask('b', [claim(1)]);
    rounds[0]!.fail(new SeqError('TIMEOUT', 'no answer'));
    await clock.settle();
    expect(done).to.deep.equal(['a: UNAVAILABLE']);
    expect(errors).to.have.length(1);
    rounds[1]!.answer();
    await clock.settle();
    expect(done).to.deep.equal(['a: UNAVAILABLE', 'b: 1']);
  });

  it('names a time to come back', async () => {
    const refused = strict.confirm([claim(1)], { deadlineMs: clock.nowMs() + 1_000, isCancelled: () => false }).catch((error: unknown) => error);
    await clock.settle();
    rounds[0]!.fail(new SeqError('UNAVAILABLE', 'no leader'));
    expect(await refused).to.include({ code: 'UNAVAILABLE', definite: true, retryAfterMs: 100 });
  });

  it('waits no longer than the call does, whether its round is on its way or not', async () => {
    ask('inFlight', [claim(1)], { waitMs: 100 });
    await clock.settle();
    ask('queued', [claim(1)], { waitMs: 50 });
    await clock.elapse(100);
    expect(done).to.deep.equal(['queued: TIMEOUT', 'inFlight: TIMEOUT']);
    rounds[0]!.answer();
    await clock.settle();
    expect(rounds, 'nobody waits').to.have.length(1);
    expect(clock.timerCount).to.equal(0);
  });

  it('gives a round the time of its most patient call, and no more than five seconds', async () => {
    ask('a', [claim(1)], { waitMs: 300 });
    ask('b', [claim(1)], { waitMs: 700 });
    await clock.settle();
    ask('c', [claim(1)], { waitMs: 60_000 });
    rounds[0]!.answer();
    await clock.settle();
    expect(rounds.map(({ call }) => call.timeoutMs)).to.deep.equal([700, 5_000]);
  });

  it('asks nothing for a caller who went away', async () => {
    ask('gone', [claim(1)], { isCancelled: () => true });
    await clock.settle();
    expect(done).to.deep.equal(['gone: ABORTED']);
    expect(rounds).to.have.length(0);
  });

  it('turns calls away with advice when too many wait', async () => {
    const patience = { deadlineMs: clock.nowMs() + 1_000, isCancelled: () => false };
    const waiting = Array.from({ length: STRICT_WAITERS_MAX }, () => strict.confirm([claim(1)], patience));
    const error = await strict.confirm([claim(1)], patience).catch((caught: unknown) => caught);
    expect(error).to.include({ code: 'RESOURCE_EXHAUSTED', definite: true, retryAfterMs: 50 });
    await clock.settle();
    rounds[0]!.answer();
    await Promise.all(waiting);
  });

  it('keeps at most 10,000 sections in a round, and every call whole', async () => {
    const many = Array.from({ length: 6_000 }, (_, section) => claim(section));
    const others = Array.from({ length: 6_000 }, (_, section) => claim(10_000 + section));
    ask('a', many);
    ask('b', others);
    await clock.settle();
    rounds[0]!.answer();
    await clock.settle();
    rounds[1]!.answer();
    await clock.settle();
    expect(rounds.map(({ sections }) => sections.length)).to.deep.equal([6_000, 6_000]);
    expect(done).to.have.length(2);
  });

  it('tells one failed round in five seconds, and how many calls they cost', async () => {
    for (let round = 0; round < 60; round++) {
      ask('a', [claim(1)]);
      await clock.settle();
      rounds.at(-1)!.fail(new SeqError('UNAVAILABLE', 'no leader'));
      await clock.elapse(100);
    }
    expect(events.flatMap((event) => (event.type === 'confirmationFailed' ? [event.callCount] : []))).to.deep.equal([1, 50]);
    expect(errors).to.have.length(60);
  });

  it('lets nobody wait after stop', async () => {
    ask('inFlight', [claim(1)]);
    await clock.settle();
    ask('queued', [claim(1)]);
    strict.stop();
    ask('late', [claim(1)]);
    rounds[0]!.fail(new SeqError('CLOSED', 'the AllocSvr stops'));
    await clock.settle();
    expect(done).to.have.members(['queued: UNAVAILABLE', 'late: UNAVAILABLE', 'inFlight: UNAVAILABLE']);
    expect([rounds.length, clock.timerCount]).to.deep.equal([1, 0]);
  });
});
