import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Ended, runNode } from './child.js';
import type { Detector } from './mutant.js';
import type { TestEnd } from './reporter.js';
import type { Workbench } from './workbench.js';

export interface TestRun extends Ended {
  readonly tests: readonly TestEnd[];
}

/** Runs tests of the workbench's build. Without a name all tests of a file; with `bail` only until the first that fails. */
export async function runTests(
  bench: Workbench,
  detectors: readonly { readonly file: string; readonly name?: string }[],
  { bail }: { readonly bail: boolean },
): Promise<TestRun> {
  const testsFile = join(bench.root, 'tests');
  writeFileSync(testsFile, '');
  const names = detectors.flatMap(({ name }) => name ?? []);
  const files = new Set(detectors.map(({ file }) => builtTest(file)));
  const ended = await runNode(
    bench,
    [
      join('node_modules', 'mocha', 'bin', 'mocha.js'),
      ...files,
      '--reporter',
      fileURLToPath(new URL('reporter.js', import.meta.url)),
      ...(names.length < detectors.length ? [] : ['--grep', names.map(escaped).join('|')]),
      ...(bail ? ['--bail'] : []),
      // What a mutant leaves open must not keep its process.
      '--exit',
    ],
    { SEQSVR_TESTS_FILE: testsFile },
  );
  const lines = readFileSync(testsFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return { ...ended, tests: lines.map((line) => JSON.parse(line) as TestEnd) };
}

/** The tests that a detector names, among those that ran. */
export function testsOf({ file, name }: Detector, { tests }: TestRun): readonly TestEnd[] {
  return tests.filter((test) => test.file.endsWith(builtTest(file)) && test.title.includes(name));
}

function builtTest(file: string): string {
  return join('dist', file.replace(/\.ts$/, '.js'));
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
