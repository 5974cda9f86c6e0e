// `npm run check:image [-- --base IMAGE]`: builds deploy/docker/Dockerfile with buildah and runs what comes out, as its own user.
// Without --base no image is fetched: the base is a stand-in made of this machine's own node, npm, shell and their libraries.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const STAND_IN = 'localhost/seqsvr-stand-in';
const IMAGE = 'localhost/seqsvr-check';
const USER = '65532:65532';
const SERVING_LIMIT_MS = 20_000;
/** What the RUN lines of the Dockerfile, and npm, call. */
const PROGRAMS = ['sh', 'mkdir', 'cp', 'ln', 'find', 'chmod', 'rm', 'env', 'id'];
/** Certificates, and how names are looked up: npm asks a registry. */
const SHARED = ['/etc/ssl/certs', '/usr/share/ca-certificates', '/etc/nsswitch.conf', '/etc/passwd', '/etc/group'];

const work = mkdtempSync(join(tmpdir(), 'seqsvr-image-'));
/** Everything of buildah is in the work folder, and goes with it. */
const STORE = ['--root', join(work, 'storage'), '--runroot', join(work, 'run'), '--storage-driver', 'vfs'];

try {
  if (spawnSync('buildah', ['--version']).error !== undefined) stop('buildah is not installed (Debian: apt-get install buildah)');
  const base = baseFrom(process.argv.slice(2));
  build(base);
  const container = check();
  await serve(container);
  console.log('the image is built, runs as its own user, says which version it is, and a StoreSvr in it is healthy and ready');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

function baseFrom(args) {
  if (args.length === 0) return makeStandIn();
  if (args.length !== 2 || args[0] !== '--base') stop('usage: npm run check:image [-- --base IMAGE]');
  return args[1];
}

function makeStandIn() {
  const tree = join(work, 'tree');
  // Where /bin and /lib are links into /usr they are so in the stand-in, for a program is asked for under both names.
  for (const name of ['bin', 'lib', 'lib64']) {
    mkdirSync(join(tree, 'usr', name), { recursive: true });
    if (lstatSync(`/${name}`, { throwIfNoEntry: false })?.isSymbolicLink()) symlinkSync(`usr/${name}`, join(tree, name));
  }
  for (const program of [process.execPath, ...PROGRAMS.map(pathOf)]) addProgram(program, tree);
  addProgram(process.execPath, tree, '/usr/local/bin/node');
  const npm = dirname(dirname(realpathSync(pathOf('npm'))));
  cpSync(npm, join(tree, npm), { recursive: true });
  mkdirSync(join(tree, 'usr/local/bin'), { recursive: true });
  writeFileSync(join(tree, 'usr/local/bin/npm'), `#!/bin/sh\nexec node ${npm}/bin/npm-cli.js "$@"\n`, { mode: 0o755 });
  for (const path of SHARED) if (existsSync(path)) cpSync(path, join(tree, path), { recursive: true, verbatimSymlinks: true });
  for (const folder of ['tmp', 'root', 'var', 'proc', 'sys', 'dev']) mkdirSync(join(tree, folder), { recursive: true });
  const container = buildah('from', 'scratch').trim();
  buildah('copy', container, tree, '/');
  buildah('config', '--env', 'PATH=/usr/local/bin:/usr/bin:/bin', container);
  // Where this machine trusts a root of its own, npm in the stand-in has to as well.
  const trust = process.env['NODE_EXTRA_CA_CERTS'];
  if (trust !== undefined) {
    buildah('copy', container, realpathSync(trust), trust);
    buildah('config', '--env', `NODE_EXTRA_CA_CERTS=${trust}`, container);
  }
  buildah('commit', container, STAND_IN);
  buildah('rm', container);
  return STAND_IN;
}

/** The program and the libraries that it is linked with, each at its own path. */
function addProgram(program, tree, target = program) {
  const libraries = [...run('ldd', [program]).matchAll(/(\/\S+) \(0x/g)].map(([, library]) => library);
  for (const [from, to] of [[program, target], ...libraries.map((library) => [library, library])]) {
    mkdirSync(dirname(join(tree, to)), { recursive: true });
    cpSync(realpathSync(from), join(tree, to));
  }
}

function build(base) {
  const limits = base === STAND_IN ? ['--pull-never'] : [];
  // --format docker: the OCI format has no HEALTHCHECK.
  const flags = ['--isolation', 'chroot', '--format', 'docker', '--build-arg', `NODE_IMAGE=${base}`, '-t', IMAGE, '-f', 'deploy/docker/Dockerfile'];
  buildah('build', ...limits, ...flags, '.');
}

function check() {
  const { docker, config } = JSON.parse(buildah('inspect', '--type', 'image', IMAGE)).Docker ?? {};
  const settings = docker?.config ?? config;
  if (settings?.User !== USER) stop(`the image runs as '${settings?.User}', and should as ${USER}`);
  if (settings?.Healthcheck === undefined) stop('the image has no HEALTHCHECK');
  const container = buildah('from', '--pull-never', IMAGE).trim();
  const inside = (...command) => buildah('run', '--isolation', 'chroot', '--user', USER, container, '--', ...command).trim();
  const { version } = JSON.parse(run('node', ['-p', 'JSON.stringify(require("./package.json"))']));
  const said = [inside('node', '/opt/seqsvr/dist/src/cli/main.js', 'version'), inside('seqctl', 'version')];
  for (const text of said) if (!text.includes(version)) stop(`the image's program says '${text}', and should say ${version}`);
  const owner = inside('node', '-p', 'const s = require("fs").statSync("/var/lib/seqsvr"); s.uid + ":" + s.gid');
  if (owner !== USER) stop(`/var/lib/seqsvr belongs to ${owner}, and should to ${USER}`);
  const leftovers = inside(
    'node',
    '-p',
    'require("fs").readdirSync("/opt/seqsvr/node_modules").filter((name) => /^(mocha|typescript|tsx)$/.test(name)).join()',
  );
  if (leftovers !== '') stop(`the image has what only the build needs: ${leftovers}`);
  return container;
}

/** Runs a StoreSvr as its image says, but for the ports: it shares those of this machine. Done once its own health check passes and it is ready. */
async function serve(container) {
  const ports = await freePorts(3);
  const config = join(work, 'config.yaml');
  const [listen, peerListen, adminListen] = ports.map((port) => `127.0.0.1:${port}`);
  const members = [{ id: 1, name: 'store-1', peerAddress: peerListen, address: listen }];
  const keys = {
    role: 'store',
    name: 'store-1',
    cluster: 'c'.repeat(32),
    nodeId: 1,
    dataDir: '/var/lib/seqsvr/data',
    listen,
    peerListen,
    adminListen,
    members,
  };
  // JSON is YAML.
  writeFileSync(config, JSON.stringify(keys), { mode: 0o644 });
  buildah('copy', container, config, '/etc/seqsvr/config.yaml');
  const command = [...STORE, 'run', '--isolation', 'chroot', '--user', USER, '--env', `SEQSVR_ADMIN_PORT=${ports[2]}`, container, '--'];
  const node = spawn('buildah', [...command, 'node', '/opt/seqsvr/dist/src/cli/main.js', 'start', '--config', '/etc/seqsvr/config.yaml'], {
    cwd: root,
  });
  let said = '';
  for (const stream of [node.stdout, node.stderr]) stream.on('data', (chunk) => (said += chunk));
  try {
    for (const path of ['/livez', '/readyz']) {
      const endMs = Date.now() + SERVING_LIMIT_MS;
      while (spawnSync('buildah', [...command, 'node', '/opt/seqsvr/deploy/healthcheck.mjs', path], { cwd: root }).status !== 0) {
        if (node.exitCode !== null || Date.now() > endMs) stop(`the node in the image is not there at ${path}:\n${said}`);
      }
    }
  } finally {
    node.kill('SIGTERM');
    if (node.exitCode === null) await once(node, 'exit');
  }
}

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function pathOf(program) {
  return run('sh', ['-c', `command -v ${program}`]).trim();
}

function buildah(...args) {
  const [command, ...rest] = args;
  return run('buildah', [...STORE, command, ...rest]);
}

function run(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (error !== undefined) throw error;
  if (status !== 0) stop(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
  return stdout;
}

function stop(message) {
  throw new Error(message);
}
