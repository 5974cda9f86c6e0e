import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import type { Format } from '../../../src/cli/output.js';
import { tail } from '../../../src/cli/seq-tail.js';
import { VirtualClock } from '../virtual-clock.js';

/** What is seen at each look: a number, or why none. */
type Look = bigint | SeqError;

async function follow(looks: readonly Look[], { count, format = 'table' }: { readonly count?: number; readonly format?: Format } = {}) {
  const clock = new VirtualClock();
  const left = [...looks];
  const data: string[] = [];
  const told: string[] = [];
  const output = { out: (text: string) => void data.push(text), talk: (line: string) => void told.push(line) };
  const current = (): Promise<{ seq: bigint; exact: boolean }> => {
    const look = left.shift();
    if (look === undefined) throw new Error('it looked once too often');
    return typeof look === 'bigint' ? Promise.resolve({ seq: look, exact: true }) : Promise.reject(look);
  };
  const running = tail(42n, { current, clock, output }, { everyMs: 100, count, endMs: clock.nowMs() + looks.length * 100, format });
  let code: number | Error | undefined;
  running.then(
    (value) => (code = value),
    (error: Error) => (code = error),
  );
  for (let turn = 0; turn < looks.length + 1; turn += 1) await clock.elapse(100);
  return { code, data, told };
}

const OUTAGE = new SeqError('UNAVAILABLE', 'nobody is there');

describe('seq tail', () => {
  it('prints the number it finds, and again only when it has grown', async () => {
    expect(await follow([5n, 5n, 7n, 7n, 8n])).to.deep.equal({ code: 0, data: ['5\n', '7\n', '8\n'], told: [] });
  });

  it('ends after as many lines as were asked for', async () => {
    expect((await follow([5n, 6n, 7n, 8n], { count: 2 })).data).to.deep.equal(['5\n', '6\n']);
  });

  it('tells an outage once, waits it out, and tells the next one again', async () => {
    const { code, data, told } = await follow([5n, OUTAGE, OUTAGE, 6n, OUTAGE, 7n]);
    expect([code, data]).to.deep.equal([0, ['5\n', '6\n', '7\n']]);
    expect(told).to.deep.equal(Array.from({ length: 2 }, () => 'error UNAVAILABLE: nobody is there; still looking'));
  });

  it('has exit code 3 when it saw nothing all the time', async () => {
    expect((await follow([OUTAGE, OUTAGE])).code).to.equal(3);
  });

  it('ends at once for what no waiting can help', async () => {
    expect((await follow([new SeqError('PERMISSION_DENIED', 'no')])).code).to.be.instanceOf(SeqError);
  });

  it('writes a JSON object a line and a YAML document each', async () => {
    const { data } = await follow([5n, 6n], { format: 'json' });
    expect(data.map((line) => line.split('\n').length)).to.deep.equal([2, 2]);
    expect(JSON.parse(data[1] ?? '')).to.include({ apiVersion: 'seqsvr/v1', kind: 'CurrentSequence', uid: '42', seq: '6', exact: true });
    expect((await follow([5n], { format: 'yaml' })).data[0]).to.match(/^---\napiVersion: seqsvr\/v1\n/);
  });
});
