import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import type { Format } from '../../../src/cli/output.js';
import { watch } from '../../../src/cli/watch.js';
import { VirtualClock } from '../virtual-clock.js';

/** What a look does: prints this with exit code 0, or fails. */
type Look = string | SeqError;

async function watched(
  looks: readonly Look[],
  { format = 'table', isScreen = false }: { readonly format?: Format; readonly isScreen?: boolean } = {},
) {
  const clock = new VirtualClock();
  const left = [...looks];
  const data: string[] = [];
  const told: string[] = [];
  const output = { out: (text: string) => void data.push(text), talk: (line: string) => void told.push(line) };
  const voices = { output, terminal: { isInteractive: false, isWatched: false, isScreen, ask: () => Promise.resolve('') } };
  const args = { endpoints: ['h:1'], timeoutMs: looks.length * 1_000, isTimeoutGiven: true, output: format };
  let code: unknown;
  const running = watch(args, {
    voices,
    clock,
    everyMs: 1_000,
    look: async (_args, shown) => {
      const look = left.shift() ?? 'it looked once too often';
      if (typeof look !== 'string') throw look;
      // In two parts, as a table and its head may come.
      shown.output.out(look);
      shown.output.out('\n');
      return Promise.resolve(0);
    },
  });
  running.then(
    (value) => (code = value),
    (error: unknown) => (code = error),
  );
  for (let turn = 0; turn <= looks.length; turn += 1) await clock.elapse(1_000);
  return { code, data, told };
}

const OUTAGE = new SeqError('UNAVAILABLE', 'nobody is there');

describe('watch', () => {
  it('looks again and again until the time given is over, with a head over each look', async () => {
    const { code, data } = await watched(['one', 'two']);
    expect([code, data.length]).to.deep.equal([0, 2]);
    expect(data[0]).to.match(/^every 1000ms, \d{4}-.*Z\n\none\n\n$/);
  });

  it('draws anew on a screen, and only there', async () => {
    expect((await watched(['one'], { isScreen: true })).data[0]).to.include('\u001b[2J');
    expect((await watched(['one'])).data[0]).not.to.include('\u001b');
  });

  it('gives programs one object after the other, without a head', async () => {
    expect((await watched(['{}', '{}'], { format: 'json', isScreen: true })).data).to.deep.equal(['{}\n', '{}\n']);
    expect((await watched(['a: 1'], { format: 'yaml', isScreen: true })).data).to.deep.equal(['---\na: 1\n']);
  });

  it('tells an outage and goes on; its exit code is that of the last look', async () => {
    expect(await watched(['one', OUTAGE])).to.deep.include({ code: 3, told: ['error UNAVAILABLE: nobody is there'] });
    expect((await watched([OUTAGE, 'two'])).code).to.equal(0);
  });

  it('ends for what no waiting can help', async () => {
    expect((await watched([new SeqError('PERMISSION_DENIED', 'no'), 'two'])).code).to.be.instanceOf(SeqError);
  });
});
