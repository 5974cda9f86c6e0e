import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { projectRoot } from '../project-root.js';
import { SeededRandom } from '../unit/seeded-random.js';
import type { Finding } from './loop.js';
import { planted } from './planted.js';
import type { Target } from './target.js';
import { targets } from './targets.js';
import { Watchdog } from './watchdog.js';

/** A short run of every target; long ones are `npm run fuzz`. */
const SEED = 1;
const SECONDS_EACH = 0.3;
/** The loop looks at the clock only now and then, so that this many are fed on the slowest machine. */
const INPUTS_MIN = 16;
const CORPUS = join(projectRoot, 'test', 'fuzz', 'corpus');

interface Kept {
  readonly target: string;
  readonly inputs: readonly { readonly why: string; readonly hex: string }[];
}

describe('fuzzing', function () {
  this.timeout(60_000);
  const watchdog = new Watchdog();
  after(() => watchdog.close());

  describe('inputs that broke something once', () => {
    for (const name of readdirSync(CORPUS).filter((file) => file.endsWith('.json'))) {
      const { target, inputs } = JSON.parse(readFileSync(join(CORPUS, name), 'utf8')) as Kept;
      for (const { why, hex } of inputs) {
        it(`${target}: ${why}`, async () => {
          expect(show(await watchdog.replay(target, Buffer.from(hex, 'hex')))).to.equal('');
        });
      }
    }
  });

  describe('a short run', () => {
    for (const { name, about } of targets) {
      it(`of ${name} finds nothing: ${about}`, async () => {
        const { inputs, findings } = await watchdog.run(name, { seed: SEED, inputs: Number.MAX_SAFE_INTEGER, seconds: SECONDS_EACH });
        expect(findings.map(show)).to.deep.equal([]);
        expect(inputs).to.be.at.least(INPUTS_MIN);
      });
    }
  });

  describe('a generator', () => {
    for (const target of targets) {
      it(`of ${target.name} makes inputs that are taken, or nothing behind the first check would ever be reached`, async () => {
        expect(await takenOf(target, 8)).to.be.at.least(1);
      });
    }
  });
});

describe('the fuzzer itself', function () {
  this.timeout(60_000);
  const watchdog = new Watchdog({ hangLimitMs: 1_000 });
  after(() => watchdog.close());

  it('finds what throws, shrinks it, and replays it from its bytes', async () => {
    const [finding] = (await watchdog.run('planted-crash', { seed: SEED, inputs: 1e6, seconds: 50 })).findings;
    expect(finding).to.include({ kind: 'error' });
    expect([...(finding?.input ?? [])]).to.deep.equal([1, 2, 0x7f]);
    expect(show(await watchdog.replay('planted-crash', finding?.input ?? new Uint8Array()))).to.include('TypeError');
  });

  it('finds the same input again with the same seed', async () => {
    const runs = [];
    for (const seed of [7, 7, 8]) runs.push((await watchdog.run('planted-crash', { seed, inputs: 1e6, seconds: 50 })).findings[0]?.number);
    expect(runs[0]).to.equal(runs[1]).and.to.not.equal(runs[2]);
  });

  for (const [name, kind] of [
    ['planted-hang', 'hang'],
    ['planted-leak', 'memory'],
    ['planted-late', 'error'],
  ] as const) {
    it(`finds the bug of ${name}, and goes on`, async () => {
      const [finding] = (await watchdog.run(name, { seed: SEED, inputs: 1e6, seconds: 50 })).findings;
      expect(finding).to.include({ kind, target: name });
      if (kind === 'hang') expect(finding?.input[0]).to.equal(0x80);
      expect(await watchdog.replay('planted-crash', Uint8Array.of(1, 2, 3))).to.equal('ok');
    });
  }

  it('has a planted bug of every kind, and none of them among the targets', () => {
    const names = new Set(targets.map(({ name }) => name));
    expect(names.size).to.equal(targets.length);
    expect(planted.some(({ name }) => names.has(name))).to.equal(false);
  });
});

async function takenOf(target: Target, count: number): Promise<number> {
  const random = new SeededRandom(SEED);
  let taken = 0;
  for (let left = count; left > 0; left -= 1) {
    const fed = [await target.feed(target.generate(random))].flat();
    if (fed.some((outcome) => outcome.startsWith('ok'))) taken += 1;
  }
  return taken;
}

/** '' for an outcome that is no finding. */
function show(result: Finding | string): string {
  return typeof result === 'string'
    ? ''
    : `${result.kind}: ${result.what}\nnpm run fuzz -- --target ${result.target} --replay '${Buffer.from(result.input).toString('base64url')}'`;
}
