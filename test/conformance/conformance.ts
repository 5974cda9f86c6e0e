import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { projectRoot } from '../project-root.js';
import { runFile } from './run-file.js';

/** Beside the project where it is developed; elsewhere they may be absent. */
const SHARED_FOLDERS = ['../shared/conformance/etcd-raft', '../shared/conformance/raft-own'];
export const SCENARIO_FOLDER = 'test/conformance/scenarios';

/**
 * Runs every data file below the given folders, by default ours and what is shared, and prints a line for each. Returns the exit
 * code: 0 when all pass, 1 when one does not, 2 when a folder is missing or has no data file: nothing was proved then.
 */
export function runConformance(given: readonly string[], options: { readonly cwd: string; readonly print: (line: string) => void }): number {
  const { cwd, print } = options;
  const folders = given.length > 0 ? given.map((folder) => resolve(cwd, folder)) : defaultFolders(print);
  const listed = folders.map((folder) => ({ folder, files: dataFilesBelow(folder) }));
  const empty = listed.filter(({ files }) => files.length === 0);
  for (const { folder } of empty) print(`${existsSync(folder) ? 'no .txt file below' : 'no such folder:'} ${folder}`);
  if (empty.length > 0) return 2;
  const counts = { files: 0, passedFiles: 0, commands: 0, passedCommands: 0 };
  // A file below two of the folders runs once.
  for (const path of new Set(listed.flatMap(({ files }) => files))) {
    const startedAt = performance.now();
    const { commandCount, passedCount, failure } = runFile(path);
    const shown = relative(cwd, path);
    print(
      `${failure === undefined ? 'ok  ' : 'FAIL'} ${shown} ${passedCount}/${commandCount} commands, ${Math.round(performance.now() - startedAt)} ms`,
    );
    if (failure !== undefined) print(`     ${shown}:${failure.line}: ${failure.text.replaceAll('\n', '\n     ')}`);
    counts.files += 1;
    counts.passedFiles += failure === undefined ? 1 : 0;
    counts.commands += commandCount;
    counts.passedCommands += passedCount;
  }
  print(`conformance: ${counts.passedFiles}/${counts.files} files, ${counts.passedCommands}/${counts.commands} commands`);
  return counts.passedFiles === counts.files ? 0 : 1;
}

function defaultFolders(print: (line: string) => void): readonly string[] {
  const shared = SHARED_FOLDERS.map((folder) => join(projectRoot, folder));
  for (const folder of shared) if (!existsSync(folder)) print(`skipped: ${folder} is not there`);
  return [...shared.filter((folder) => existsSync(folder)), join(projectRoot, SCENARIO_FOLDER)];
}

/** In the order of their paths; a data file itself counts as the folder that holds it alone. */
export function dataFilesBelow(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return path.endsWith('.txt') ? [path] : [];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.txt') && statSync(join(path, name)).isFile())
    .map((name) => join(path, name))
    .sort();
}
