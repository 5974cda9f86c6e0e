import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';

interface Locked {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

describe('npm run sbom', function () {
  this.timeout(60_000);

  it('names every package that the program runs with, with its version and its hash, and no other', () => {
    const bom = JSON.parse(execFileSync('npm', ['run', '--silent', 'sbom'], { encoding: 'utf8', maxBuffer: 64 * 2 ** 20 }));
    expect([bom.bomFormat, bom.metadata.component.purl]).to.deep.equal(['CycloneDX', 'pkg:npm/seqsvr@0.1.0']);
    expect(bom.metadata.component.name).to.equal('seqsvr');
    const components = bom.components as { 'bom-ref': string; name: string; version: string; hashes?: unknown[]; licenses?: unknown[] }[];
    const named = components.map(({ name, version }) => `${name}@${version}`);
    expect(new Set(named)).to.deep.equal(reachable());
    for (const { name, hashes, licenses } of components) expect([hashes?.length, (licenses?.length ?? 0) > 0], name).to.deep.equal([1, true]);
    const refs = new Set(components.map((component) => component['bom-ref']));
    for (const { dependsOn } of bom.dependencies as { dependsOn: string[] }[]) for (const ref of dependsOn) expect(refs.has(ref), ref).to.equal(true);
  });
});

/** What is reached from package.json's dependencies, found in the lockfile as Node finds it: in the nearest folder above. */
function reachable(): Set<string> {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { readonly packages: Readonly<Record<string, Locked>> };
  const seen = new Set<string>();
  const found = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const { version, dependencies, optionalDependencies } = packages[path]!;
    if (path !== '') found.add(`${path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${version}`);
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const below = nearest(packages, path, name);
      if (below !== undefined) visit(below);
    }
  };
  visit('');
  return found;
}

function nearest(packages: Readonly<Record<string, Locked>>, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (Object.hasOwn(packages, path)) return path;
    if (folder === '') return undefined;
  }
}
