import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { expect } from 'chai';
import { projectRoot } from '../project-root.js';

/** Which folder of src may import which, its own aside. ARCHITECTURE.md draws the same picture. */
const MAY_IMPORT: Readonly<Record<string, RegExp>> = {
  base: /^$/,
  model: /^base\//,
  raft: /^base\//,
  rpc: /^(base|model)\/|^raft\/(types|messages?)\.js$/,
  store: /^(base|model|raft|rpc)\//,
  arbiter: /^(base|model)\//,
  alloc: /^(base|model|rpc)\/|^store\/client\.js$/,
  client: /^(base|model|rpc)\//,
  ops: /^(base|model|rpc)\//,
  gateway: /^(base|model|rpc|client)\//,
  verify: /^(base|model)\//,
  cli: /./,
};
/** The only places that know a package. A package that is not here is not to be used. */
const PACKAGE_LIVES_IN: Readonly<Record<string, RegExp>> = {
  '@grpc/grpc-js': /^rpc\//,
  '@bufbuild/protobuf': /^rpc\/gen\//,
  'classic-level': /^store\/level-/,
  yargs: /^cli\//,
  yaml: /^cli\//,
  zod: /^cli\//,
  pino: /^ops\//,
  'prom-client': /^ops\//,
};
/** Same input, same output: no clock, no dice, no waiting, no outside world. */
const PURE =
  /^(model\/|raft\/(?!driver|writer|pending-)|store\/(state|state-machine|command|membership-change|recover-state|divergence|checkpoints)\.ts|arbiter\/(?!arbiter|reign|wishes|port)|alloc\/(counters|counter-page|preallocator|time-guard|load|check-assignment)|client\/(routing-cache|retry|many)\.ts|verify\/)/;
const IMPURE = /\bawait\b|\basync\b|\bsystemClock\b|\bsystemRandom\b|['"]node:/;
const CLOCK_OR_DICE =
  /\bDate\.|\bnew Date\b|\bperformance\.|\bhrtime\b|\bset(Timeout|Interval|Immediate)\b|\bAbortSignal\.timeout|Math\.random|random(Bytes|UUID|Int)|node:timers/;

describe('the house', () => {
  const sources = readdirSync(join(projectRoot, 'src'), { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path, text: withoutComments(readFileSync(join(projectRoot, 'src', path), 'utf8')) }));
  const handMade = sources.filter(({ path }) => !path.startsWith('rpc/gen/'));
  const imports = sources.flatMap(({ path, text }) =>
    [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g)].map(([, target = '']) => ({ path, target })),
  );

  it('lets imports go one way', () => {
    const wrong = imports.filter(({ path, target }) => {
      const folder = path.split('/')[0] ?? '';
      const found = posix.join(posix.dirname(path), target);
      return target.startsWith('.') && !found.startsWith(`${folder}/`) && MAY_IMPORT[folder]?.test(found) !== true;
    });
    expect(wrong).to.deep.equal([]);
  });

  it('keeps each package in its place', () => {
    const wrong = imports.filter(({ path, target }) => {
      const name = target.split('/', target.startsWith('@') ? 2 : 1).join('/');
      return !/^(\.|node:)/.test(target) && PACKAGE_LIVES_IN[name]?.test(path) !== true;
    });
    expect(wrong).to.deep.equal([]);
  });

  it('keeps clocks and dice in base', () => {
    expect(offences(handMade, (path) => !path.startsWith('base/'), CLOCK_OR_DICE)).to.deep.equal([]);
  });

  it('lets only the composition roots pick the real clock and dice: cli, and what users import', () => {
    expect(offences(handMade, (path) => !/^(base|cli|client)\//.test(path), /\bsystem(Clock|Random)\b/)).to.deep.equal([]);
  });

  it('keeps await, clocks, dice and the outside world out of pure files', () => {
    expect(offences(handMade, (path) => PURE.test(path), IMPURE)).to.deep.equal([]);
  });

  it('has no index.ts, and no file past 400 lines', () => {
    const wrong = handMade.filter(({ path, text }) => path.endsWith('index.ts') || text.split('\n').length > 400);
    expect(wrong.map(({ path }) => path)).to.deep.equal([]);
  });
});

type Source = { readonly path: string; readonly text: string };

function offences(sources: readonly Source[], isBound: (path: string) => boolean, rule: RegExp): string[] {
  return sources
    .filter(({ path }) => isBound(path))
    .flatMap(({ path, text }) => text.split('\n').flatMap((line, index) => (rule.test(line) ? [`src/${path}:${index + 1}: ${line.trim()}`] : [])));
}

/** Comments may speak of clocks. Lines stay where they are, so that an offence can be found. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, '')).replace(/(^|[\s;{}(,])\/\/.*$/gm, '$1');
}
