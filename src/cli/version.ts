import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** The version in package.json, found through the package's own name: right from dist/ and from the sources alike. */
export function programVersion(): string {
  const path = createRequire(import.meta.url).resolve('seqsvr/package.json');
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string };
  return version;
}
