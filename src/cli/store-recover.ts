import { systemClock } from '../base/clock.js';
import { SeqError, show } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { BUMP_MAX } from '../store/bump.js';
import { loadConfig, type StoreConfig } from './config.js';
import { printDryRun } from './dry-run.js';
import { EXIT, RefusedError } from './exit.js';
import type { Voices } from './member-session.js';
import { type Format, print } from './output.js';
import { confirm } from './terminal.js';

export interface StoreRecoverArgs {
  readonly config: string;
  readonly isForced: boolean;
  readonly bump: string | undefined;
  /** The cluster's id, typed in advance. */
  readonly confirm: string | undefined;
  readonly isDryRun: boolean;
  readonly output: Format;
}

/** Makes a cluster of one of a data directory; throws INVALID_ARGUMENT while its process runs. What it found and did is plain values. */
export type RecoverStore = (options: {
  readonly dataDir: string;
  readonly config: StoreConfig;
  /** How far to lift every max_seq. Undefined: as far as its own rule says. */
  readonly bump: bigint | undefined;
  readonly clock: typeof systemClock;
  readonly random: typeof systemRandom;
}) => Promise<object>;

/** `seqsvr store recover --force-new-cluster`: offline, and only when the cluster's id was typed. */
export async function storeRecover(args: StoreRecoverArgs, voices: Voices, recover?: RecoverStore): Promise<number> {
  if (!args.isForced) throw new SeqError('INVALID_ARGUMENT', '--force-new-cluster is required: it says what this does');
  const bump = args.bump === undefined ? undefined : parseBump(args.bump);
  const config = loadConfig(args.config);
  if (config.role !== 'store')
    throw new SeqError('INVALID_ARGUMENT', `${args.config} is the config of an AllocSvr: only a store has data to recover`);
  const { cluster, dataDir } = config;
  if (args.confirm !== undefined && args.confirm !== cluster) {
    throw new RefusedError(`nothing was done: --confirm is ${show(args.confirm)}, the cluster of ${args.config} is '${cluster}'`);
  }
  const consequence = warningOf(config);
  if (args.isDryRun) return printDryRun(voices, args, { command: 'store recover', change: `this is done:\n${consequence}` });
  await confirm({ consequence, word: cluster, isConfirmed: args.confirm !== undefined, flag: `--confirm ${cluster}` }, voices);
  const report = await (recover ?? recoverFromDisk)({ dataDir, config, bump, clock: systemClock, random: systemRandom });
  print(voices.output, args.output, { kind: 'StoreRecovery', body: report, table: tableOf(report) });
  voices.output.talk(`start this store now; give every other store an empty dataDir and 'join: true', and add it with 'seqctl member add'`);
  return EXIT.ok;
}

function warningOf({ name, cluster, dataDir }: StoreConfig): string {
  return [
    `FORCED RECOVERY of cluster ${cluster} from the data of ${name} alone (${dataDir}).`,
    `  What ${name} does not have is LOST: every raise and every move that the other stores committed without it.`,
    '  Numbers that were handed out under such a raise would be handed out AGAIN, unless the bump (--bump N) lifts every section above them.',
    '  Every store and every AllocSvr of the old cluster must have ENDED FOR GOOD, and none may ever be started on its old data:',
    '  two clusters would hand out the same numbers. Do it only when the majority is lost and cannot be brought back',
  ].join('\n');
}

function parseBump(text: string): bigint {
  const bump = /^\d{1,19}$/.test(text) ? BigInt(text) : 0n;
  if (bump < 1n || bump > BUMP_MAX) throw new SeqError('INVALID_ARGUMENT', `--bump must be a whole number in [1, ${BUMP_MAX}], got ${show(text)}`);
  return bump;
}

/** One line for each fact: `appliedIndex: 42`. */
function tableOf(report: object): string {
  return Object.entries(report)
    .map(
      ([key, value]) =>
        `${key}: ${typeof value === 'object' ? JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? String(part) : part)) : String(value)}\n`,
    )
    .join('');
}

const recoverFromDisk: RecoverStore = async ({ dataDir, config, bump, clock, random }) => {
  // Imported late, so that no other command loads the database.
  const { recoverStore } = await import('../store/recover.js');
  const { name, peerAdvertise: peerAddress, advertise: address, cluster: clusterId } = config;
  return recoverStore({ dataDir, clusterId, member: { name, peerAddress, address }, bump, wallMs: clock.wallMs(), random });
};
