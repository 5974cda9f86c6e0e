// Prints what the program runs with, as CycloneDX JSON: `npm run --silent sbom > sbom.json`. Made by npm, from the lockfile.
// npm's own `--omit dev` (11.19) leaves out a package that a development tool needs as well, @grpc/grpc-js among them; so it lists all, and
// what the lockfile calls dev is taken out here.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { npmCommand } from './npm.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const npm = npmCommand(['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only']);
const { status, stdout } = spawnSync(npm.command, npm.args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 2 ** 20, ...npm.options });
if (status !== 0) process.exit(1);

const { name, packages } = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'));
const kept = new Set(
  Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path, { version }]) => `${path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${version}`),
);
const bom = JSON.parse(stdout);
const own = bom.metadata.component;
// npm takes the name of the folder.
own.name = name;
bom.components = bom.components.filter(({ name, version }) => kept.has(`${name}@${version}`));
const refs = new Set([own['bom-ref'], ...bom.components.map((component) => component['bom-ref'])]);
bom.dependencies = bom.dependencies
  .filter(({ ref }) => refs.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((one) => refs.has(one)) }));
console.log(JSON.stringify(bom, null, 2));
