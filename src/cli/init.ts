import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../base/random.js';
import { EXIT, RefusedError } from './exit.js';
import { type InitOptions, initFiles } from './init-files.js';
import { type Format, type Output, print } from './output.js';

export interface InitArgs extends Omit<InitOptions, 'clusterId'> {
  readonly out: string;
  readonly isDryRun: boolean;
  readonly output: Format;
}

/** `seqsvr init`: the config files of a new cluster. Throws RefusedError, and writes nothing, when one of them is there already. */
export function init(args: InitArgs, { output, random }: { readonly output: Output; readonly random: Random }): number {
  const clusterId = random.id128();
  const files = initFiles({ ...args, clusterId }).map((file) => ({ ...file, file: join(args.out, `${file.name}.yaml`) }));
  const there = files.filter(({ file }) => existsSync(file)).map(({ file }) => file);
  if (there.length > 0)
    throw new RefusedError(`nothing was written: ${there.join(', ')} ${there.length === 1 ? 'is' : 'are'} there already, and may be in use`);
  const written = files.map(({ name, role, file }) => ({ name, role, file }));
  if (!args.isDryRun) {
    mkdirSync(args.out, { recursive: true });
    // 'wx': what came into being since it was looked for is not overwritten either.
    for (const { file, text } of files) writeFileSync(file, text, { flag: 'wx', mode: 0o640 });
  }
  const table = args.isDryRun ? files.map(({ file, text }) => `--- ${file}\n${text}`).join('') : written.map(({ file }) => `${file}\n`).join('');
  print(output, args.output, { kind: 'ConfigWritten', body: { clusterId, isWritten: !args.isDryRun, files: written }, table });
  if (!args.isDryRun)
    output.talk("put each file on its machine, then start ALL stores there with 'seqsvr start --config FILE', and the AllocSvrs after them");
  return EXIT.ok;
}
