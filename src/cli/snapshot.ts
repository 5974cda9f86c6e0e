import { resolve } from 'node:path';
import { systemClock } from '../base/clock.js';
import { countsOf, stateOf } from '../store/snapshot-check.js';
import { readSnapshotFile } from '../store/snapshot-file.js';
import { EXIT } from './exit.js';
import { type Format, type Output, print } from './output.js';
import { snapshotLines, snapshotTable } from './snapshot-lines.js';

export interface SnapshotFileArgs {
  readonly file: string;
  readonly output: Format;
}

/** `seqctl snapshot status FILE`: what it is and what is in it. Throws as `inspect`. */
export async function snapshotStatus(args: SnapshotFileArgs, output: Output): Promise<number> {
  const body = await inspect(args.file);
  print(output, args.output, { kind: 'SnapshotStatus', body, table: snapshotTable(body) });
  return EXIT.ok;
}

/** `seqctl snapshot verify FILE`: OK only when a restore could use it. Throws as `inspect`. */
export async function snapshotVerify(args: SnapshotFileArgs, output: Output): Promise<number> {
  const body = { verdict: 'OK', ...(await inspect(args.file)) };
  const table = `OK: cluster ${body.clusterId} at index ${body.index}, ${body.sectionsUsed} of ${body.sections} sections in use, taken ${body.age} ago\n`;
  print(output, args.output, { kind: 'SnapshotVerification', body, table });
  return EXIT.ok;
}

/** Throws INVALID_ARGUMENT for what is no snapshot of this version, SnapshotDamageError for one that is not as it was written. */
async function inspect(given: string) {
  const file = resolve(given);
  const snapshot = await readSnapshotFile(file);
  const { state } = stateOf(snapshot, file);
  return snapshotLines(file, snapshot.header, { counts: countsOf(state), nowMs: systemClock.wallMs() });
}
