// Runs the native tools of tools/package.json (lint, format, code generation), installing them on first use.
// They live apart because their other-platform packages break `npm ci` of the root.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npmCommand } from './npm.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'tools', 'node_modules', '.bin');
const SOURCES = ['src', 'test', 'examples', 'scripts'];

const TASKS = {
  lint: () => run('oxlint', ['--type-aware', '--deny-warnings', ...SOURCES]),
  format: () => run('biome', ['format', '--write', '.']),
  proto: () => {
    run('buf', ['lint']);
    run('buf', ['generate']);
  },
  check: () => {
    run('biome', ['format', '.']);
    TASKS.lint();
    run('buf', ['lint']);
    run('dockerfile-utils', ['lint', 'deploy/docker/Dockerfile']);
    checkManifests();
    checkGenerated();
    checkPackage();
  },
};

const task = TASKS[process.argv[2]];
if (task === undefined) stop(`usage: node scripts/tool.mjs ${Object.keys(TASKS).join('|')}`);
install();
task();

function install() {
  const stamp = join(root, 'tools', 'node_modules', '.stamp');
  const wanted = readFileSync(join(root, 'tools', 'package.json'), 'utf8');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const npm = npmCommand(['install', '--no-package-lock', '--no-audit', '--no-fund', '--include=optional', '--loglevel=error']);
  const result = spawnSync(npm.command, npm.args, { cwd: join(root, 'tools'), stdio: 'inherit', ...npm.options });
  if (result.status !== 0) stop('the tools could not be installed');
  writeFileSync(stamp, wanted);
}

function run(tool, args) {
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH']}` };
  const result = spawnSync(join(bin, tool), args, { cwd: root, stdio: 'inherit', env });
  if (result.status !== 0) stop(`${tool} ${args.join(' ')} failed`);
}

/** In a process of its own, for it reads YAML with a dependency of the root. */
function checkManifests() {
  const result = spawnSync(process.execPath, ['scripts/manifests.mjs'], { cwd: root, stdio: 'inherit' });
  if (result.status !== 0) stop('the manifests of deploy/k8s are not what Kubernetes takes');
}

/** The committed generated code is exactly what the .proto files make. */
function checkGenerated() {
  const fresh = mkdtempSync(join(tmpdir(), 'seqsvr-gen-'));
  run('buf', ['generate', '-o', fresh]);
  const committed = join(root, 'src', 'rpc', 'gen');
  const made = join(fresh, 'src', 'rpc', 'gen');
  const names = new Set([...filesBelow(committed), ...filesBelow(made)]);
  const different = [...names].filter((name) => read(join(committed, name)) !== read(join(made, name)));
  rmSync(fresh, { recursive: true });
  if (different.length > 0) stop(`src/rpc/gen differs from the .proto files: ${different.join(', ')}; run npm run proto`);
  console.log(`generated code matches the .proto files (${names.size} files)`);
}

/** What `npm pack` makes of the build, as publint and are-the-types-wrong see it. Only ESM counts: Node 20.19 can require() it, node10 cannot resolve sub-paths. */
function checkPackage() {
  if (!existsSync(join(root, 'dist', 'src', 'client', 'client.d.ts'))) stop('the package is checked as built: run npm run build first');
  const folder = mkdtempSync(join(tmpdir(), 'seqsvr-pack-'));
  const npm = npmCommand(['pack', '--ignore-scripts', '--silent', '--pack-destination', folder]);
  const packed = spawnSync(npm.command, npm.args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'], ...npm.options });
  if (packed.status !== 0) stop('npm pack failed');
  const [file] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  run('publint', ['run', join(folder, file), '--strict']);
  run('attw', [join(folder, file), '--profile', 'esm-only', '--quiet']);
  rmSync(folder, { recursive: true });
  console.log(`the package is well-formed, and so are its types (${file})`);
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true }).filter((name) => statSync(join(folder, name)).isFile());
}

function read(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function stop(message) {
  console.error(message);
  process.exit(1);
}
