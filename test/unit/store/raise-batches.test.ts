import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import type { AllocId, Epoch, Incarnation, SectionId, Seq } from '../../../src/model/ids.js';
import type { CallOptions } from '../../../src/rpc/channel.js';
import { RAISES_PER_REQUEST_MAX } from '../../../src/rpc/limits.js';
import type { RaiseItem, RaiseOutcome } from '../../../src/store/client.js';
import { RAISE_CALLS_WAITING_MAX, RAISE_REQUESTS_MAX, type RaiseAsk, RaiseBatches } from '../../../src/store/raise-batches.js';
import { VirtualClock } from '../virtual-clock.js';

const HERE = 'store:1';
const ME = { allocId: 'a' as AllocId, incarnation: 'ab'.repeat(16) as Incarnation };
const CALL: CallOptions = { timeoutMs: 1_000 };

/** What the fake StoreSvr was sent. */
interface Sent {
  readonly address: string;
  readonly ask: RaiseAsk;
  readonly options: CallOptions;
  answer(): void;
  fail(error: unknown): void;
}

describe('RaiseBatches', () => {
  let clock: VirtualClock;
  let batches: RaiseBatches;
  let sent: Sent[];

  const item = (section: number, to: number): RaiseItem => ({ section: section as SectionId, epoch: 1 as Epoch, to: BigInt(to) as Seq });
  const raise = (raises: readonly RaiseItem[], options: Partial<CallOptions> = {}, { who = ME, address = HERE } = {}) =>
    batches.raise(address, { ...who, raises }, { ...CALL, ...options });
  const raiseTo = (to: number, options: Partial<CallOptions> = {}) => raise([item(0, to)], options);
  const tosOf = ({ ask }: Sent): number[] => ask.raises.map(({ to }) => Number(to));
  const maxSeqsOf = async (call: Promise<readonly RaiseOutcome[]>): Promise<number[]> =>
    (await call).map((outcome) => (outcome.type === 'raised' ? Number(outcome.maxSeq) : -1));
  const errorOf = (call: Promise<unknown>): Promise<SeqError> =>
    call.then(
      () => expect.fail('it was not refused'),
      (error: SeqError) => error,
    );
  /** Takes both places on the wire, so that what comes next waits. */
  const fill = async (): Promise<void> => {
    for (let count = 0; count < RAISE_REQUESTS_MAX; count++) {
      raiseTo(1, { timeoutMs: 60_000 }).catch(() => undefined);
      await clock.settle();
    }
    expect(sent.splice(0)).to.have.length(RAISE_REQUESTS_MAX);
  };

  beforeEach(() => {
    clock = new VirtualClock();
    sent = [];
    batches = new RaiseBatches({
      clock,
      send: (address, ask, options) =>
        new Promise((resolve, reject) => {
          const answer = (): void => resolve(ask.raises.map(({ to }) => ({ type: 'raised', maxSeq: to })));
          sent.push({ address, ask, options, answer, fail: reject });
        }),
    });
  });

  it('sends a lone raise within its turn, with all of its time', async () => {
    const call = raiseTo(7);
    await Promise.resolve();
    expect(sent.map(tosOf)).to.deep.equal([[7]]);
    expect(sent[0]!.options.timeoutMs).to.equal(1_000);
    sent[0]!.answer();
    expect(await maxSeqsOf(call)).to.deep.equal([7]);
  });

  it('sends the raises of one turn in one request, and gives each call its own outcomes', async () => {
    const calls = [raise([item(0, 1), item(1, 2)]), raise([]), raise([item(2, 3)])];
    await clock.settle();
    expect(sent.map(tosOf)).to.deep.equal([[1, 2, 3]]);
    sent[0]!.answer();
    expect(await Promise.all(calls.map(maxSeqsOf))).to.deep.equal([[1, 2], [], [3]]);
  });

  it('answers both of two raises of one section and epoch in one request', async () => {
    const calls = [raise([item(4, 10)]), raise([item(4, 20)])];
    await clock.settle();
    expect(sent.map(tosOf)).to.deep.equal([[10, 20]]);
    sent[0]!.answer();
    expect(await Promise.all(calls.map(maxSeqsOf))).to.deep.equal([[10], [20]]);
  });

  it('sends a second request while the first is under way, and what comes then in one when the first is answered', async () => {
    const first = raiseTo(1);
    await clock.settle();
    void raiseTo(2);
    await clock.settle();
    void raiseTo(3);
    await clock.settle();
    void raiseTo(4);
    await clock.settle();
    expect(sent.map(tosOf)).to.deep.equal([[1], [2]]);
    sent[0]!.answer();
    await first;
    await clock.settle();
    expect(sent.map(tosOf)).to.deep.equal([[1], [2], [3, 4]]);
  });

  it('puts no more into a request than it may carry, and keeps the raises of a call together', async () => {
    const half = Array.from({ length: RAISES_PER_REQUEST_MAX / 2 }, (_, section) => item(section, 1));
    void raise(half);
    void raise([...half, item(9, 9)]);
    void raise(half.slice(1));
    await clock.settle();
    expect(sent.map(({ ask }) => ask.raises.length)).to.deep.equal([RAISES_PER_REQUEST_MAX / 2, RAISES_PER_REQUEST_MAX]);
  });

  it('keeps callers, incarnations and StoreSvrs apart', async () => {
    void raise([item(0, 1)]);
    void raise([item(0, 2)], {}, { who: { ...ME, incarnation: 'cd'.repeat(16) as Incarnation } });
    void raise([item(0, 3)], {}, { who: { ...ME, allocId: 'b' as AllocId } });
    void raise([item(0, 4)], {}, { address: 'store:2' });
    await clock.settle();
    expect(sent.map(({ address, ask }) => [address, ask.allocId, ask.incarnation.slice(0, 2), Number(ask.raises[0]?.to)])).to.deep.equal([
      [HERE, 'a', 'ab', 1],
      [HERE, 'a', 'cd', 2],
      [HERE, 'b', 'ab', 3],
      ['store:2', 'a', 'ab', 4],
    ]);
  });

  it('tells each call of a request what it failed with, as it came', async () => {
    const calls = [raiseTo(1), raiseTo(2)].map(errorOf);
    await clock.settle();
    const refusal = new SeqError('NOT_OWNER', 'superseded', { endpoint: HERE });
    sent[0]!.fail(refusal);
    expect(await Promise.all(calls)).to.deep.equal([refusal, refusal]);
    expect(batches.laneCount).to.equal(0);
  });

  it('gives a request the time of its most patient call, and ends the others at their own deadlines', async () => {
    const short = errorOf(raiseTo(1, { timeoutMs: 100 }));
    const long = raiseTo(2, { timeoutMs: 500 });
    await clock.settle();
    expect(sent[0]!.options.timeoutMs).to.equal(500);
    await clock.elapse(100);
    expect(await short).to.include({ code: 'TIMEOUT', definite: false, endpoint: HERE });
    expect(sent[0]!.options.signal?.aborted).to.equal(false);
    sent[0]!.answer();
    expect(await maxSeqsOf(long)).to.deep.equal([2]);
  });

  it('leaves the end of the most patient call to the request, whose deadline says what the connection did', async () => {
    let isOver = false;
    const call = errorOf(raiseTo(1, { timeoutMs: 100 })).finally(() => {
      isOver = true;
    });
    await clock.elapse(100);
    expect(isOver).to.equal(false);
    sent[0]!.fail(new SeqError('TIMEOUT', 'the deadline of the wire', { endpoint: HERE }));
    expect((await call).message).to.equal('the deadline of the wire');
  });

  it('says "certainly not" to a call whose deadline passes while it waits, and never sends it', async () => {
    await fill();
    const error = errorOf(raiseTo(1, { timeoutMs: 100 }));
    void raiseTo(2, { timeoutMs: 500 });
    await clock.elapse(100);
    expect(await error).to.include({ code: 'TIMEOUT', definite: true, endpoint: HERE });
    expect(sent).to.deep.equal([]);
  });

  it('does not send what is past its deadline when the timers are late', async () => {
    const error = errorOf(raiseTo(1, { timeoutMs: 100 }));
    void raiseTo(2, { timeoutMs: 500 });
    clock.stall(100);
    await clock.settle();
    expect(sent.map(tosOf)).to.deep.equal([[2]]);
    expect(await error).to.include({ code: 'TIMEOUT', definite: true });
  });

  it('says "certainly not" to a call that is aborted while it waits, and "unknown" to one under way', async () => {
    const reason = new Error('enough');
    const abort = new AbortController();
    const underWay = errorOf(raiseTo(1, { signal: abort.signal }));
    await clock.settle();
    raiseTo(2).catch(() => undefined);
    await clock.settle();
    const waiting = errorOf(raiseTo(3, { signal: abort.signal }));
    abort.abort(reason);
    expect(await underWay).to.include({ code: 'ABORTED', definite: false, cause: reason });
    expect(await waiting).to.include({ code: 'ABORTED', definite: true, cause: reason });
    await clock.settle();
    expect(sent.map(tosOf)).to.deep.equal([[1], [2]]);
  });

  it('cuts a request only when the last call in it was aborted', async () => {
    const aborts = [new AbortController(), new AbortController()];
    const calls = aborts.map(({ signal }, index) => errorOf(raiseTo(index, { signal })));
    await clock.settle();
    aborts[0]!.abort();
    expect(sent[0]!.options.signal?.aborted).to.equal(false);
    aborts[1]!.abort();
    expect(sent[0]!.options.signal?.aborted).to.equal(true);
    expect((await Promise.all(calls)).map(({ code }) => code)).to.deep.equal(['ABORTED', 'ABORTED']);
  });

  it('refuses one call more than may wait, and says when to come back', async () => {
    await fill();
    const calls = Array.from({ length: RAISE_CALLS_WAITING_MAX }, (_, index) => raiseTo(index));
    expect(await errorOf(raiseTo(0))).to.include({ code: 'RESOURCE_EXHAUSTED', definite: true, retryAfterMs: 50 });
    expect(calls).to.have.length(RAISE_CALLS_WAITING_MAX);
    expect(sent).to.deep.equal([]);
  });

  it('leaves no lane and no timer behind', async () => {
    const calls = [raiseTo(1), raiseTo(2, { timeoutMs: 5 })];
    await clock.settle();
    sent[0]!.answer();
    await Promise.all(calls);
    await clock.settle();
    expect([batches.laneCount, clock.timerCount]).to.deep.equal([0, 0]);
  });
});
