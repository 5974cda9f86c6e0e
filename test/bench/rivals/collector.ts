import { renameSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pause } from '../../jepsen/until.js';

/** What has a finalizer is only gone after a few of them. */
const COLLECTIONS = 5;
const COLLECT_EVERY_MS = 200;

/** Loaded before a program, by --import: at each SIGUSR2 it collects its garbage, and writes what memory is in use then. */
const file = process.env['SEQSVR_BENCH_MEMORY'];
if (file !== undefined) {
  setFlagsFromString('--expose-gc');
  process.on('SIGUSR2', () => void tell(file));
}

async function tell(path: string): Promise<void> {
  for (let times = 0; times < COLLECTIONS; times += 1) {
    runInNewContext('gc()');
    await pause(COLLECT_EVERY_MS);
  }
  writeFileSync(`${path}.new`, JSON.stringify(process.memoryUsage()));
  renameSync(`${path}.new`, path);
}
