import { renameSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../../src/base/errors.js';
import { quietGrpc } from '../../../src/rpc/server.js';
import { projectRoot } from '../../project-root.js';
import { makeScratch } from '../scratch.js';
import { installPackages } from './find-program.js';
import { type BenchOptions, parseOptions, USAGE } from './options.js';
import { showProfile } from './profile.js';
import { report } from './report.js';
import type { Results } from './results.js';
import { runAll } from './run.js';
import { Stage } from './stage.js';

/** `npm run bench`: our cluster beside the counters that people use today, in turns on one machine. */
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

process.exitCode = await main();
// What a cut connection leaves behind must not keep the process.
process.exit();

async function main(): Promise<number> {
  let options: BenchOptions | undefined;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${messageOf(error)}\n${USAGE}`);
    return EXIT_USAGE;
  }
  if (options === undefined) {
    console.log(USAGE);
    return 0;
  }
  quietGrpc();
  const scratch = makeScratch('bench');
  const stage = new Stage({ folder: scratch.folder, options });
  try {
    if (options.isInstalled) installPackages();
    if (!scratch.isOnDisk) console.log(`NOTE: ${scratch.folder} is in memory, where a sync costs nothing: these figures say little`);
    const interrupted = new Promise<'interrupted'>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve('interrupted'));
    });
    const outcome = await Promise.race([runAll(stage), interrupted]);
    if (outcome === 'interrupted') return EXIT_INTERRUPTED;
    console.log(`\n${report(outcome.results)}`);
    if (options.isQuick) console.log('\n--quick: one short round, for a look; a claim takes the whole run');
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rawNumbers(options, outcome.results), undefined, 2)}\n`);
    if (stage.profileDir !== undefined) await printProfiles(stage, stage.profileDir);
    return outcome.failedCount + stage.failedCount === 0 ? 0 : 1;
  } catch (error) {
    console.error(error);
    return 1;
  } finally {
    await stage.stop();
    scratch.dispose();
  }
}

/** A profile is written at the end of its process, so everything ends first. The files outlive the folder. */
async function printProfiles(stage: Stage, profileDir: string): Promise<void> {
  await stage.stop();
  const kept = join(projectRoot, 'dist', `profiles-${Date.now()}`);
  renameSync(profileDir, kept);
  for (const name of ['alloc', 'client']) console.log(`\n${showProfile(name, join(kept, `${name}.cpuprofile`))}`);
}

function rawNumbers(options: BenchOptions, results: Results) {
  const machine = { cpus: cpus().length, model: cpus()[0]?.model, node: process.versions.node };
  return { atUnixMs: Date.now(), machine, options: { ...options, parts: [...options.parts] }, ...results };
}
