// Part of `npm run check`: what base and overlays of deploy/k8s come to, as TypeScript literals that the types of the Kubernetes API have to
// take. It finds fields that do not exist, stand in the wrong place or have the wrong type. Needs kubectl, and says so where there is none.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

const root = fileURLToPath(new URL('..', import.meta.url));
const FOLDERS = ['base', 'overlays/dev', 'overlays/prod'];
/** Kinds of others, which the package has no types of. */
const FOREIGN = ['monitoring.coreos.com/v1 PodMonitor'];

if (spawnSync('kubectl', ['version', '--client']).error !== undefined) {
  console.log('kubectl is not installed here, so the manifests are not checked against the types of the Kubernetes API');
} else {
  const objects = FOLDERS.flatMap((folder) => render(folder).map((object) => ({ folder, object })));
  const typed = objects.filter(({ object }) => !FOREIGN.includes(`${object.apiVersion} ${object.kind}`));
  const refused = compile(typed);
  if (refused !== '') stop(`the types of the Kubernetes API refuse a manifest:\n${refused}`);
  console.log(
    `the manifests are what the types of the Kubernetes API take (${typed.length} objects; not looked at: ${objects.length - typed.length})`,
  );
}

function render(folder) {
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', `deploy/k8s/${folder}`], { cwd: root, encoding: 'utf8' });
  if (status !== 0) stop(`kubectl kustomize deploy/k8s/${folder} failed: ${stderr}`);
  return parseAllDocuments(stdout).map((document) => document.toJS());
}

/** What the compiler has to say; empty: nothing. */
function compile(objects) {
  const work = mkdtempSync(join(tmpdir(), 'seqsvr-manifests-'));
  try {
    mkdirSync(join(work, 'node_modules'));
    symlinkSync(join(root, 'tools', 'node_modules', 'kubernetes-types'), join(work, 'node_modules', 'kubernetes-types'));
    for (const [at, { folder, object }] of objects.entries()) {
      const path = object.apiVersion.includes('/') ? object.apiVersion.replace('.k8s.io', '') : `core/${object.apiVersion}`;
      const name = `${folder.replaceAll('/', '-')}-${object.kind}-${object.metadata.name}-${at}.ts`;
      const source = `import type { ${object.kind} } from 'kubernetes-types/${path}';\nexport const manifest: ${object.kind} = ${JSON.stringify(object, null, 2)};\n`;
      writeFileSync(join(work, name), source);
    }
    const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const options = { noEmit: true, strict: true, skipLibCheck: true, module: 'esnext', moduleResolution: 'bundler', types: [] };
    writeFileSync(join(work, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['*.ts'] }));
    return spawnSync(process.execPath, [compiler, '-p', work], { encoding: 'utf8' }).stdout;
  } finally {
    rmSync(work, { recursive: true });
  }
}

function stop(message) {
  console.error(message);
  process.exit(1);
}
