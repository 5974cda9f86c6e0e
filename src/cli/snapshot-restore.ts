import { resolve } from 'node:path';
import { systemClock } from '../base/clock.js';
import { SeqError, show } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { isSameGeometry, showGeometry } from '../model/geometry.js';
import { ChannelPool } from '../rpc/channel-pool.js';
import { quietGrpc } from '../rpc/server.js';
import { BUMP_MAX, type BumpSum, safeBump } from '../store/bump.js';
import { restoreStores } from '../store/restore.js';
import { countsOf, stateOf } from '../store/snapshot-check.js';
import { readSnapshotFile } from '../store/snapshot-file.js';
import type { SnapshotHeader } from '../store/snapshot-header.js';
import type { StoreState } from '../store/state.js';
import { loadConfig, type StoreConfig } from './config.js';
import { wireOf } from './dial.js';
import { formatAge } from './duration.js';
import { EXIT, RefusedError } from './exit.js';
import { askAll, ATTEMPT_LIMIT_MS } from './inspect.js';
import type { Voices } from './member-session.js';
import { type Format, print } from './output.js';
import { confirm } from './terminal.js';

export interface RestoreArgs {
  readonly file: string;
  readonly config: string;
  readonly dataDir: string;
  /** `auto`, or how far to lift every maxSeq. Undefined: refused. */
  readonly bump: string | undefined;
  /** The new cluster's id, typed in advance. */
  readonly confirm: string | undefined;
  /** The old cluster lives on: what is restored is for practice. */
  readonly isRehearsal: boolean;
  readonly output: Format;
}

/**
 * `seqctl snapshot restore FILE`: offline, the data directories of a new cluster. Throws RefusedError without a bump, without a
 * confirmation, or while a store of the old cluster answers; INVALID_ARGUMENT and SnapshotDamageError for what cannot be restored.
 */
export async function snapshotRestore(args: RestoreArgs, voices: Voices): Promise<number> {
  if (args.bump === undefined) {
    throw new RefusedError(
      'nothing was done: numbers that were handed out since the snapshot would be handed out again; --bump auto lifts every section above them, --bump N by a number of yours',
    );
  }
  const given = args.bump === 'auto' ? undefined : parseBump(args.bump);
  const config = foundersOf(args.config);
  const file = resolve(args.file);
  const snapshot = await readSnapshotFile(file);
  const { header } = snapshot;
  const replica = stateOf(snapshot, file);
  checkCluster(config, { header, state: replica.state });
  const sum = sumFor(header, replica.state);
  const bump = given ?? requireSum(sum).bump;
  if (bump > BUMP_MAX) throw new RefusedError(`nothing was done: the bump would be ${bump}, and is at most ${BUMP_MAX}; give --bump N`);
  if (!args.isRehearsal) await refuseWhileOldLives(replica.state, header.clusterId, config);
  voices.output.talk(explainSum(sum, bump));
  const isConfirmed = args.confirm === config.cluster;
  if (args.confirm !== undefined && !isConfirmed)
    throw new RefusedError(`nothing was done: --confirm is ${show(args.confirm)}, the cluster of ${args.config} is '${config.cluster}'`);
  const consequence = warningOf({ header, config, bump, isRehearsal: args.isRehearsal });
  await confirm({ consequence, word: config.cluster, isConfirmed, flag: `--confirm ${config.cluster}` }, voices);
  const report = await restoreStores({
    replica,
    at: header,
    clusterId: config.cluster,
    members: config.members,
    bump,
    folder: resolve(args.dataDir),
    wallMs: systemClock.wallMs(),
    random: systemRandom,
  });
  const table = `${Object.entries({ ...report, dataDirs: report.dataDirs.join(', ') })
    .map(([name, value]) => `${name}: ${String(value)}`)
    .join('\n')}\n`;
  print(voices.output, args.output, { kind: 'SnapshotRestored', body: { ...report, arithmetic: sum }, table });
  voices.output.talk(
    'put each folder where the dataDir of its store is, then start all stores; AllocSvrs start anew and get their sections from them',
  );
  return EXIT.ok;
}

function parseBump(text: string): bigint {
  const bump = /^\d{1,19}$/.test(text) ? BigInt(text) : 0n;
  if (bump < 1n || bump > BUMP_MAX)
    throw new SeqError('INVALID_ARGUMENT', `--bump must be auto, or a whole number in [1, ${BUMP_MAX}], got ${show(text)}`);
  return bump;
}

function foundersOf(file: string): StoreConfig {
  const config = loadConfig(file);
  if (config.role !== 'store') throw new SeqError('INVALID_ARGUMENT', `${file} is the config of an AllocSvr: only stores have data to restore`);
  if (config.join)
    throw new SeqError('INVALID_ARGUMENT', `${file} is the config of a store that joins: give that of a founder, whose members are the founders`);
  return config;
}

function checkCluster(config: StoreConfig, { header, state }: { readonly header: SnapshotHeader; readonly state: StoreState }): void {
  if (config.cluster === header.clusterId) {
    throw new RefusedError(
      `nothing was done: the config has the cluster id of the snapshot, ${header.clusterId}; a restored cluster has an id of its own, so that nobody of the old one joins it`,
    );
  }
  const geometry = state.cluster?.geometry;
  if (geometry !== undefined && !isSameGeometry(geometry, config.geometry))
    throw new SeqError(
      'INVALID_ARGUMENT',
      `the snapshot has ${showGeometry(geometry)}, the config ${showGeometry(config.geometry)}: they must be the same`,
    );
}

function sumFor({ takenAtMs, version, growth }: SnapshotHeader, state: StoreState): BumpSum | undefined {
  const { maxSeq, raiseBy } = countsOf(state);
  return safeBump({ raiseBy, maxSeq, generation: version.generation, takenAtMs, growth, nowMs: systemClock.wallMs() });
}

function requireSum(sum: BumpSum | undefined): BumpSum {
  if (sum !== undefined) return sum;
  throw new RefusedError(
    'nothing was done: by the clock of this machine the snapshot lies in the future, so its age is not known; set the clock, or give --bump N',
  );
}

function explainSum(sum: BumpSum | undefined, bump: bigint): string {
  if (sum === undefined) return `bump: ${bump}, as given; by the clock of this machine the snapshot lies in the future`;
  const { ageMs, observedPerSecond, meanPerSecond, safetyFactor, byRate, least } = sum;
  const seen = observedPerSecond === undefined ? 'no rate was observed' : `${observedPerSecond} observed at most`;
  const lines = [
    `age of the snapshot: ${formatAge(ageMs)}; numbers a second of the busiest section: ${seen}, ${meanPerSecond} on average`,
    `age x rate x ${safetyFactor} = ${byRate}; one window of a section = ${least}`,
    `bump: ${bump}${bump === sum.bump ? '' : `, as given; auto would be ${sum.bump}`}`,
  ];
  return lines.join('\n');
}

function warningOf(about: {
  readonly header: SnapshotHeader;
  readonly config: StoreConfig;
  readonly bump: bigint;
  readonly isRehearsal: boolean;
}): string {
  const { header, config, bump, isRehearsal } = about;
  if (isRehearsal)
    return `A REHEARSAL: cluster ${config.cluster} will hand out numbers that cluster ${header.clusterId} hands out too; nobody may use them`;
  return [
    `RESTORE of cluster ${header.clusterId}, as it was at index ${header.index}, as the new cluster ${config.cluster}.`,
    `  Every section is lifted by ${bump}: what the old cluster handed out since the snapshot must be less than that in every section.`,
    '  Every store and every AllocSvr of the old cluster must have ENDED FOR GOOD: two clusters would hand out the same numbers',
  ].join('\n');
}

/** Throws RefusedError when a store that was a member answers, and is still of the old cluster. */
async function refuseWhileOldLives({ members, allocs }: StoreState, oldClusterId: string, { tls }: StoreConfig): Promise<void> {
  quietGrpc();
  const pool = new ChannelPool({ clock: systemClock, wire: wireOf(tls === undefined ? {} : { tls: { ...tls, tokenFile: undefined } }) });
  try {
    const addresses = [...members, ...allocs].map(({ address }) => address);
    const answers = await askAll([...new Set(addresses)], { pool, clock: systemClock, timeoutMs: ATTEMPT_LIMIT_MS });
    const alive = answers.filter(({ status }) => status?.clusterId === oldClusterId).map(({ address, status }) => `${status?.name} at ${address}`);
    if (alive.length === 0) return;
    throw new RefusedError(
      `nothing was done: the old cluster lives (${alive.join(', ')}); stop it for good, or say --rehearsal when this is for practice`,
    );
  } finally {
    pool.close();
  }
}
