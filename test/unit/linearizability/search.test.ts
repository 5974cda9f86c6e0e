import { expect } from 'chai';
import { checkHistory } from '../../../src/verify/check-history.js';
import { casRegister, type RegisterInput, type RegisterOutput } from '../../linearizability/cas-register.js';
import { type KeyValueInput, keyValue } from '../../linearizability/key-value.js';
import type { Call, Model, State } from '../../linearizability/model.js';
import { searchEach } from '../../linearizability/partition.js';
import { search } from '../../linearizability/search.js';
import { SeededRandom } from '../seeded-random.js';
import { isExplainable } from '../verify/exhaustive.js';
import { playedHistory, randomHistory } from '../verify/histories.js';
import { isLinearizable } from './naive.js';
import { callsOf, sequenceModel } from './sequence-model.js';

type RegisterCall = Call<RegisterInput, RegisterOutput>;

describe('search', () => {
  const rows: readonly { name: string; calls: readonly RegisterCall[]; is: 'ok' | 'illegal' }[] = [
    { name: 'takes an empty history', calls: [], is: 'ok' },
    { name: 'takes a read of what was written before', calls: [write([0, 1], 5), read([2, 3], 5)], is: 'ok' },
    { name: 'finds a read of what was written over', calls: [write([0, 1], 5), write([2, 3], 6), read([4, 5], 5)], is: 'illegal' },
    { name: 'takes a read of nothing at first', calls: [read([0, 1], undefined), write([2, 3], 5)], is: 'ok' },
    { name: 'takes overlapping calls in either order', calls: [write([0, 9], 5), read([1, 2], undefined), read([3, 4], 5)], is: 'ok' },
    { name: 'takes two calls that touch at one instant as overlapping', calls: [write([0, 5], 5), read([5, 9], undefined)], is: 'ok' },
    { name: 'finds a value that came and went', calls: [write([0, 9], 5), read([1, 2], 5), read([3, 4], undefined)], is: 'illegal' },
    { name: 'lets an unknown write happen late', calls: [unknownWrite(0, 5), read([1, 2], undefined), read([3, 4], 5)], is: 'ok' },
    { name: 'lets an unknown write never happen', calls: [unknownWrite(0, 5), read([1, 2], undefined)], is: 'ok' },
    { name: 'does not let it happen before it was invoked', calls: [read([0, 1], 5), unknownWrite(2, 5)], is: 'illegal' },
    { name: 'does not let it happen twice', calls: [unknownWrite(0, 5), read([1, 2], 5), write([3, 4], 6), read([5, 6], 5)], is: 'illegal' },
    { name: 'takes a comparison that failed on another value', calls: [write([0, 1], 5), cas([2, 3], [6, 7], false), read([4, 5], 5)], is: 'ok' },
    { name: 'finds a comparison that failed on its own value', calls: [write([0, 1], 5), cas([2, 3], [5, 7], false)], is: 'illegal' },
    { name: 'finds two that both won one value', calls: [write([0, 1], 5), cas([2, 9], [5, 6], true), cas([2, 9], [5, 7], true)], is: 'illegal' },
  ];
  for (const { name, calls, is } of rows) it(name, () => expect(search(casRegister, calls).type).to.equal(is));

  it('says how far it came and which call could not be placed', () => {
    const verdict = search(casRegister, [write([0, 1], 5), write([2, 3], 6), read([4, 5], 5), write([6, 7], 8)]);
    expect(verdict).to.include({ type: 'illegal', stuckAt: 2 }).and.to.have.property('placed').that.deep.equals([0, 1]);
  });

  it('says unknown when its steps run out, never ok', () => {
    expect(search(casRegister, manyWrites(12), { bytesMax: 2 ** 30, stepsMax: 1_000 })).to.include({ type: 'unknown', limit: 'steps' });
  });

  it('says unknown when its memory is full, never ok', () => {
    expect(search(casRegister, manyWrites(16), { bytesMax: 200_000, stepsMax: 2 ** 40 })).to.include({ type: 'unknown', limit: 'bytes' });
  });

  it('goes as deep as a history is long', () => {
    const calls = Array.from({ length: 30_000 }, (_, at) => write([at, at + 2], at));
    expect(search(casRegister, calls.slice(0, 5_000)).type).to.equal('ok');
  });

  it('agrees with the definition on 20,000 random histories of a register', function () {
    this.timeout(30_000);
    compare(casRegister, (random) => randomCalls(random, registerCall), 20_000);
  });

  it('agrees with the definition on 20,000 random histories of text that is put, appended to and got', function () {
    this.timeout(30_000);
    compare(keyValue, (random) => randomCalls(random, keyValueCall), 20_000);
  });

  it('agrees with the exhaustive search and the exact check on 20,000 random histories of the sequence service', function () {
    this.timeout(30_000);
    const random = new SeededRandom(5);
    const seen = { ok: 0, illegal: 0 };
    for (let turn = 0; turn < 20_000; turn++) {
      const history = turn % 2 === 0 ? randomHistory(random) : playedHistory(random);
      const { type } = search(sequenceModel(history), callsOf(history));
      const expected = isExplainable(history) ? 'ok' : 'illegal';
      const exact = checkHistory(history).isValid ? 'ok' : 'illegal';
      if (type !== expected || exact !== expected) expect({ turn, type, exact }).to.deep.equal({ turn, type: expected, exact: expected });
      seen[expected]++;
    }
    expect(Math.min(seen.ok, seen.illegal)).to.be.above(3_000);
  });
});

describe('searchEach', () => {
  const options = { keyOf: ({ key }: KeyValueInput) => key };
  const get = (key: string, value: string, at: number) => ({
    input: { type: 'get', key, value: '' } as const,
    output: value,
    invokedAt: at,
    returnedAt: at,
  });

  it('checks each key by itself', () => {
    const put = { input: { type: 'put', key: 'a', value: 'x' } as const, output: '', invokedAt: 0, returnedAt: 1 };
    expect(searchEach(() => keyValue, [put, get('b', '', 2), get('a', 'x', 3)], options).type).to.equal('ok');
  });

  it('names the key that is not linearizable', () => {
    const verdict = searchEach(() => keyValue, [get('a', '', 0), get('b', 'x', 1), get('c', '', 2)], options);
    expect(verdict).to.include({ type: 'illegal' }).and.to.have.nested.property('part.key', 'b');
  });

  it('finds the illegal part although another takes more than its steps', () => {
    const hard = Array.from({ length: 16 }, (_, at) => ({
      input: { type: 'append', key: 'hard', value: 'a' } as const,
      output: '',
      invokedAt: at,
      returnedAt: 100,
    }));
    const calls = [...hard, get('hard', 'a'.repeat(17), 101), get('b', 'x', 102)];
    expect(searchEach(() => keyValue, calls, { ...options, limits: { bytesMax: 2 ** 28, stepsMax: 50_000 } })).to.nested.include({
      type: 'illegal',
      'part.key': 'b',
    });
  });
});

function compare<S extends State, Input, Output>(
  model: Model<S, Input, Output>,
  draw: (random: SeededRandom) => Call<Input, Output>[],
  count: number,
): void {
  const random = new SeededRandom(11);
  const seen = { ok: 0, illegal: 0 };
  for (let turn = 0; turn < count; turn++) {
    const calls = draw(random);
    const expected = isLinearizable(model, calls) ? 'ok' : 'illegal';
    const { type } = search(model, calls);
    if (type !== expected) expect(type, JSON.stringify(calls)).to.equal(expected);
    seen[expected]++;
  }
  // Both answers came up often enough to mean something.
  expect(Math.min(seen.ok, seen.illegal)).to.be.above(count / 10);
}

type Draw<Input, Output> = (random: SeededRandom) => { readonly input: Input; readonly output: Output };

function randomCalls<Input, Output>(random: SeededRandom, draw: Draw<Input, Output>): Call<Input, Output>[] {
  return Array.from({ length: 1 + random.below(6) }, () => {
    const { input, output } = draw(random);
    const invokedAt = random.below(16);
    return { input, output: random.chance(0.2) ? undefined : output, invokedAt, returnedAt: invokedAt + random.below(6) };
  });
}

function registerCall(random: SeededRandom): { readonly input: RegisterInput; readonly output: RegisterOutput } {
  const [one, other] = [random.below(2), random.below(2)];
  const kind = random.below(3);
  if (kind === 0) return { input: { type: 'read' }, output: { type: 'read', value: random.chance(0.3) ? undefined : one } };
  if (kind === 1) return { input: { type: 'write', value: one }, output: { type: 'written' } };
  return { input: { type: 'cas', from: one, to: other }, output: { type: 'compared', isDone: random.chance(0.5) } };
}

function keyValueCall(random: SeededRandom): { readonly input: KeyValueInput; readonly output: string } {
  const value = random.pick(['a', 'b']);
  const kind = random.below(6);
  if (kind < 2) return { input: { type: 'get', key: 'k', value: '' }, output: random.pick(['', 'a', 'b', 'ab', 'ba', 'aa']) };
  return { input: { type: kind === 2 ? 'put' : 'append', key: 'k', value }, output: '' };
}

type At = readonly [number, number];

function read([invokedAt, returnedAt]: At, value: number | undefined): RegisterCall {
  return { input: { type: 'read' }, output: { type: 'read', value }, invokedAt, returnedAt };
}

function write([invokedAt, returnedAt]: At, value: number): RegisterCall {
  return { input: { type: 'write', value }, output: { type: 'written' }, invokedAt, returnedAt };
}

function unknownWrite(invokedAt: number, value: number): RegisterCall {
  return { ...write([invokedAt, invokedAt], value), output: undefined };
}

function cas([invokedAt, returnedAt]: At, [from, to]: At, isDone: boolean): RegisterCall {
  return { input: { type: 'cas', from, to }, output: { type: 'compared', isDone }, invokedAt, returnedAt };
}

/** All at once, then a read of what nobody wrote: every subset has to be tried. */
function manyWrites(count: number): RegisterCall[] {
  return [...Array.from({ length: count }, (_, at) => write([0, 10], at)), read([11, 12], -1)];
}
