// `npm start`, `npm test` and every `npm run` that needs the build, on a fresh clone: installs and compiles when needed, then goes on.
// Plain Node without a dependency, for it runs before there are any.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { npmCommand } from './npm.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const main = join(dist, 'src', 'cli', 'main.js');
const lock = join(dist, '.boot-lock');

const NODE_MIN = [20, 19];
/** A lock is touched this often while its owner works, and one that was not touched for this long has lost its owner. */
const LOCK_TOUCH_EVERY_MS = 2_000;
const LOCK_STALE_AFTER_MS = 15_000;
const LOCK_CHECK_EVERY_MS = 200;
/** How long another start may install and compile before this one gives up. */
const LOCK_WAIT_LIMIT_MS = 600_000;

const [task, ...args] = process.argv.slice(2);
const TASKS = {
  start: startDev,
  test: runTests,
  'test:matrix': runMatrix,
  'docs:api': apiDocs,
  build: () => undefined,
  conformance: runConformance,
  bench,
  'bench:raft': benchRaft,
  'bench:micro': benchMicro,
  scale,
  fuzz,
  mutants,
  model,
  'check-histories': checkHistories,
  jepsen,
  sim,
  'test:security': testSecurity,
};
if (!Object.hasOwn(TASKS, task ?? '')) stop(`usage: node scripts/boot.mjs ${Object.keys(TASKS).join('|')} [arguments]`, 2);
checkNode();
process.chdir(root);
await withLock(prepare);
await TASKS[task]();

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  stop(
    `seqsvr needs Node ${NODE_MIN.join('.')} or newer, and this is ${process.versions.node} (${process.execPath}). Get one from https://nodejs.org`,
    1,
  );
}

async function prepare() {
  await install();
  removeStaleOutputs();
  await run(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.'], 'the sources do not compile');
  chmodSync(main, 0o755);
}

/** Installs exactly what the lockfile says, unless that was done before: a second start needs no network. */
async function install() {
  const stamp = join(root, 'node_modules', '.seqsvr-lock');
  const wanted = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.error('installing dependencies (once)...');
  // --include=dev: NODE_ENV=production or omit=dev would leave the compiler out.
  const flags = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = npmCommand(flags);
  await run(npm.command, npm.args, 'npm ci failed', npm.options);
  writeFileSync(stamp, wanted);
}

/** Removes what was compiled from a source that is gone: an old test would still run, an old module still be found. */
function removeStaleOutputs() {
  for (const folder of ['src', 'test', 'examples']) {
    if (!existsSync(join(dist, folder))) continue;
    for (const name of readdirSync(join(dist, folder), { recursive: true })) {
      const source = /^(.+)\.(?:js|d\.ts)(?:\.map)?$/.exec(name)?.[1];
      if (source !== undefined && !existsSync(join(root, folder, `${source}.ts`))) rmSync(join(dist, folder, name));
    }
  }
}

/** In this very process: then npm's child is the supervisor itself, and a signal to it is one to the cluster. */
async function startDev() {
  process.argv = [process.argv[0], main, 'dev', ...args];
  await import(pathToFileURL(main).href);
}

/** Our cluster beside Redis, etcd and PostgreSQL; see docs/performance.md. In this very process, as startDev: a Ctrl-C and a SIGTERM are for the one that has to clean up. */
async function bench() {
  const runner = join(dist, 'test', 'bench', 'rivals', 'main.js');
  process.argv = [process.argv[0], runner, ...args];
  await import(pathToFileURL(runner).href);
}

/** As bench. */
async function benchRaft() {
  const bench = join(dist, 'test', 'bench', 'raft.js');
  process.argv = [process.argv[0], bench, ...args];
  await import(pathToFileURL(bench).href);
}

/** Inner parts alone, each beside a baseline; see test/bench/micro. */
async function benchMicro() {
  const bench = join(dist, 'test', 'bench', 'micro', 'main.js');
  process.argv = [process.argv[0], bench, ...args];
  await import(pathToFileURL(bench).href);
}

/** The article's size, on paper and in memory; see test/scale. */
async function scale() {
  await import(pathToFileURL(join(dist, 'test', 'scale', 'main.js')).href);
}

/** Real processes and everything that can befall them; see test/jepsen. In this very process: a Ctrl-C is for the one that has to clean up. */
async function jepsen() {
  const runner = join(dist, 'test', 'jepsen', 'main.js');
  process.argv = [process.argv[0], runner, ...args];
  await import(pathToFileURL(runner).href);
}

/** Hostile clients, each on a server of its own; see test/security. In this very process, as jepsen. */
async function testSecurity() {
  const runner = join(dist, 'test', 'security', 'main.js');
  process.argv = [process.argv[0], runner, ...args];
  await import(pathToFileURL(runner).href);
}

/** Seeded bugs, and the tests that must notice them; see test/mutants. */
async function mutants() {
  const runner = join(dist, 'test', 'mutants', 'main.js');
  process.argv = [process.argv[0], runner, ...args];
  await import(pathToFileURL(runner).href);
}

/** The whole cluster in virtual time; see test/sim. */
async function sim() {
  const main = join('dist', 'test', 'sim', 'main.js');
  process.exitCode = await exitCodeOf(
    spawn(process.execPath, ['--enable-source-maps', '--max-semi-space-size=64', main, ...args], { stdio: 'inherit' }),
  );
}

/** The protocol of leases, epochs and hand-offs in every order within bounds; see docs/model.md. */
async function model() {
  const runner = join('dist', 'test', 'model', 'main.js');
  const child = spawn(process.execPath, ['--enable-source-maps', '--max-old-space-size=8192', runner, ...args], { stdio: 'inherit' });
  process.exitCode = await exitCodeOf(child);
}

/** Bytes from outside that nobody should send, at every door; see test/fuzz. */
async function fuzz() {
  process.exitCode = await exitCodeOf(
    spawn(process.execPath, ['--enable-source-maps', join('dist', 'test', 'fuzz', 'main.js'), ...args], { stdio: 'inherit' }),
  );
}

/** Data files over the Raft core; see test/conformance. */
async function runConformance() {
  const runner = join('dist', 'test', 'conformance', 'main.js');
  process.exitCode = await exitCodeOf(spawn(process.execPath, ['--enable-source-maps', runner, ...args], { stdio: 'inherit' }));
}

/** Recorded histories with known verdicts; see test/linearizability. */
async function checkHistories() {
  const checker = join('dist', 'test', 'linearizability', 'main.js');
  process.exitCode = await exitCodeOf(spawn(process.execPath, ['--enable-source-maps', checker, ...args], { stdio: 'inherit' }));
}

async function runTests() {
  const summary = join(dist, '.test-summary');
  rmSync(summary, { force: true });
  const files = args.some((arg) => arg.endsWith('.test.js')) ? [] : ['dist/test/**/*.test.js'];
  const mocha = join('node_modules', 'mocha', 'bin', 'mocha.js');
  const child = spawn(process.execPath, ['--enable-source-maps', mocha, ...files, '--reporter', './test/reporter.mjs', ...args], {
    stdio: 'inherit',
    env: { ...process.env, SEQSVR_TEST_SUMMARY: summary },
  });
  // Ctrl-C reaches both; a SIGTERM only this process.
  process.on('SIGTERM', () => child.kill('SIGTERM')).on('SIGINT', () => undefined);
  const code = await exitCodeOf(child);
  // A test file that cannot even be loaded ends mocha without a word to its reporter.
  if (!existsSync(summary)) console.log('0 passed, 1 failed');
  process.exitCode = existsSync(summary) ? code : code || 1;
}

/** The unit tests under each Node that counts; see scripts/matrix.mjs. */
async function runMatrix() {
  const { testMatrix } = await import('./matrix.mjs');
  process.exitCode = await testMatrix(args);
}

/** The client's interface as pages; see scripts/api-docs.mjs. */
async function apiDocs() {
  const { makeApiDocs } = await import('./api-docs.mjs');
  process.exitCode = makeApiDocs();
}

/** Two starts at once must not install or compile into each other. Waits for the other one; an abandoned lock is taken over. */
async function withLock(work) {
  mkdirSync(dist, { recursive: true });
  const giveUpAt = Date.now() + LOCK_WAIT_LIMIT_MS;
  for (let isTold = false; !tryLock(); isTold = true) {
    if (!isTold) console.error('another start is installing or compiling here; waiting for it...');
    if (Date.now() > giveUpAt) stop(`still locked after ${LOCK_WAIT_LIMIT_MS / 60_000} minutes; if nothing runs here, remove ${lock}`, 1);
    await new Promise((resolve) => setTimeout(resolve, LOCK_CHECK_EVERY_MS));
  }
  const touching = setInterval(() => utimesSync(lock, new Date(), new Date()), LOCK_TOUCH_EVERY_MS);
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  process.once('exit', unlock);
  try {
    await work();
  } finally {
    clearInterval(touching);
    unlock();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt).off('exit', unlock);
  }
}

function tryLock() {
  try {
    mkdirSync(lock);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > LOCK_STALE_AFTER_MS) unlock();
    return false;
  }
}

function unlock() {
  rmSync(lock, { recursive: true, force: true });
}

function interrupt() {
  process.exit(130);
}

async function run(command, commandArgs, failure, options = {}) {
  const code = await exitCodeOf(spawn(command, commandArgs, { stdio: 'inherit', cwd: root, ...options }));
  if (code !== 0) stop(failure, code);
}

function exitCodeOf(child) {
  return new Promise((resolve) => {
    child.once('error', (error) => stop(`${child.spawnfile} cannot be run: ${error.message}`, 1));
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

function stop(message, code) {
  console.error(message);
  process.exit(code);
}
