import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { History, loadHistory } from '../../jepsen/history.js';

describe('History', () => {
  const call = { client: 'w1', call: 'next', uid: 2n ** 64n - 1n, count: 1 } as const;

  it('stamps a call before and after, on one clock', () => {
    const history = new History();
    const first = history.begin(call);
    const second = history.begin(call);
    second.numbers(2n, 2n);
    first.numbers(1n, 1n);
    const [early, late] = history.operations;
    expect([early?.id, late?.id]).to.deep.equal([1, 0]);
    expect(late?.invokedNs).to.be.at.most(early?.invokedNs ?? 0);
    expect(late?.returnedNs).to.be.at.least(early?.returnedNs ?? Infinity);
  });

  it('calls an outcome refused only when the error says that it is definite', () => {
    const history = new History();
    history.begin(call).failed(new SeqError('RESOURCE_EXHAUSTED', 'full'));
    history.begin(call).failed(new SeqError('TIMEOUT', 'late'));
    history.begin(call).failed(new SeqError('TIMEOUT', 'late', { definite: true }));
    history.begin(call).failed(new Error('anything'));
    expect(history.operations.map(({ outcome }) => outcome.type)).to.deep.equal(['refused', 'unknown', 'refused', 'unknown']);
  });

  it('counts the calls that are still open', () => {
    const history = new History();
    history.begin(call);
    history.begin(call).value(1n, true);
    expect(history.openCount).to.equal(1);
  });

  it('comes back from its file as it was, 64 bits and all', () => {
    const folder = mkdtempSync(join(tmpdir(), 'seqsvr-history-'));
    const history = new History();
    history.begin(call).numbers(2n ** 63n - 2n, 2n ** 63n - 1n);
    history.begin({ ...call, call: 'current', count: 0 }).value(2n ** 53n + 1n, false);
    history.begin(call).failed(new SeqError('TIMEOUT', 'late'));
    history.save(join(folder, 'history.jsonl'));
    expect(loadHistory(join(folder, 'history.jsonl'))).to.deep.equal(history.operations);
    rmSync(folder, { recursive: true });
  });
});
