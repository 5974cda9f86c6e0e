import type { Argv } from 'yargs';
import { asLeaf, type Choose, needOf } from './command-tree.js';
import type { Voices } from './member-session.js';
import { parseDurationMs } from './duration.js';
import { CONNECTION_OPTIONS, fromEnv, parseConnection, parseFormat, parseWhole } from './options.js';

type Add = (group: Argv, voices: Voices, choose: Choose) => void;

const FILE = { type: 'string', demandOption: true, describe: 'the snapshot' } as const;
/** A copy is a few hundred KB, but its leader may have to be looked for. */
const SAVE_TIMEOUT_DEFAULT = '60s';

/** `seqctl snapshot ...` */
export function addSnapshot(program: Argv, voices: Voices, choose: Choose): void {
  program.command('snapshot', 'back a cluster up, and look at its backups', (command) => {
    const group = command.demandCommand(1, needOf('snapshot'));
    for (const add of [addSave, addStatus, addVerify, addRestore, addSchedule, addList]) add(group, voices, choose);
    return group.example('$0 snapshot save seq.snap', 'a consistent copy of a running cluster in one file');
  });
}

const addSave: Add = (group, voices, choose) => {
  group.command(
    'save <file>',
    'copy the state of a running cluster, at one place of its log, into a file that is whole or not there',
    (leaf) =>
      asLeaf(leaf)
        .positional('file', { ...FILE, describe: 'where to: nothing must be there yet' })
        .options(CONNECTION_OPTIONS)
        .example('$0 snapshot save /backup/seq.snap', 'what was done before is in it')
        .example('$0 snapshot save seq.snap --endpoints 10.0.0.7:7100 -o json', 'for a program'),
    (args) =>
      choose(async () =>
        (await import('./snapshot-save.js')).snapshotSave({ ...parseConnection(args, SAVE_TIMEOUT_DEFAULT), file: args.file }, voices),
      ),
  );
};

const addStatus: Add = (group, voices, choose) => {
  group.command(
    'status <file>',
    'what a snapshot is and what is in it',
    (leaf) =>
      asLeaf(leaf).positional('file', FILE).options({ output: CONNECTION_OPTIONS.output }).example('$0 snapshot status seq.snap', 'needs no cluster'),
    (args) =>
      choose(async () => (await import('./snapshot.js')).snapshotStatus({ file: args.file, output: parseFormat(args.output) }, voices.output)),
  );
};

const addVerify: Add = (group, voices, choose) => {
  group.command(
    'verify <file>',
    'check a snapshot: its checksum, and that what it holds is a state that can be restored',
    (leaf) =>
      asLeaf(leaf)
        .positional('file', FILE)
        .options({ output: CONNECTION_OPTIONS.output })
        .example('$0 snapshot verify seq.snap', 'prints OK, or says what is wrong with exit code 1'),
    (args) =>
      choose(async () => (await import('./snapshot.js')).snapshotVerify({ file: args.file, output: parseFormat(args.output) }, voices.output)),
  );
};

const addRestore: Add = (group, voices, choose) => {
  group.command(
    'restore <file>',
    'make the data directories of a new cluster from a snapshot, offline; refused without a --bump',
    (leaf) =>
      asLeaf(leaf)
        .positional('file', FILE)
        .option(
          'config',
          fromEnv('config', {
            type: 'string',
            demandOption: true,
            describe: 'the config file of a founding store of the new cluster',
            requiresArg: true,
          }),
        )
        .option('data-dir', {
          type: 'string',
          demandOption: true,
          describe: 'a new or empty folder: gets one data directory for each founder, under its name',
          requiresArg: true,
        })
        .option('bump', {
          type: 'string',
          describe: 'lift every max_seq by so much: a number, or auto (age of the snapshot x observed rate x 10, at least one window)',
          requiresArg: true,
        })
        .option('confirm', { type: 'string', describe: "the new cluster's id: mean it, and ask nothing", requiresArg: true })
        .option('rehearsal', { type: 'boolean', default: false, describe: 'the old cluster lives on, and nobody will use the numbers of this one' })
        .options({ output: CONNECTION_OPTIONS.output })
        .example('$0 snapshot restore seq.snap --config store-1.yaml --data-dir ./restored --bump auto', 'shows the arithmetic, and asks')
        .example('$0 snapshot restore seq.snap --config store-1.yaml --data-dir ./restored --bump 50000000', 'a bump of your own')
        .epilogue('Every process of the old cluster must have ended for good before. The config has a new cluster id, and the geometry of the old.'),
    (args) =>
      choose(async () => {
        const what = { file: args.file, config: args.config, dataDir: args['data-dir'], bump: args.bump };
        const how = { confirm: args.confirm, isRehearsal: args.rehearsal, output: parseFormat(args.output) };
        return (await import('./snapshot-restore.js')).snapshotRestore({ ...what, ...how }, voices);
      }),
  );
};

const addSchedule: Add = (group, voices, choose) => {
  group.command(
    'schedule',
    'save a snapshot into a folder again and again, until SIGTERM, and remove the oldest',
    (leaf) =>
      asLeaf(leaf)
        .option('dir', { type: 'string', demandOption: true, describe: 'the folder; it must be there', requiresArg: true })
        .option('every', { type: 'string', default: '1h', describe: 'between two snapshots', requiresArg: true })
        .option('keep', { type: 'string', default: '24', describe: 'so many good ones stay; the last good one always does', requiresArg: true })
        .option('once', { type: 'boolean', default: false, describe: 'one now, and no more: for cron' })
        .option('metrics-file', { type: 'string', describe: 'figures for the textfile collector of a node exporter', requiresArg: true })
        .options(CONNECTION_OPTIONS)
        .example('$0 snapshot schedule --dir /backup/seq --every 1h --keep 48', 'two days, hour by hour')
        .example(
          '$0 snapshot schedule --dir /backup/seq --keep 48 --once',
          'for cron; exit code 4 when the newest good one is older than twice --every',
        ),
    (args) =>
      choose(async () => {
        const what = { folder: args.dir, everyMs: parseDurationMs(args.every), keep: parseWhole('--keep', args.keep) };
        const how = { isOnce: args.once, metricsFile: args['metrics-file'] };
        const options = { ...parseConnection(args, SAVE_TIMEOUT_DEFAULT), ...what, ...how };
        return (await import('./snapshot-schedule.js')).snapshotSchedule(options, voices);
      }),
  );
};

const addList: Add = (group, voices, choose) => {
  group.command(
    'list <dir>',
    'the snapshots of a schedule, each read and checked; exit code 4 when none is good and young enough',
    (leaf) =>
      asLeaf(leaf)
        .positional('dir', { type: 'string', demandOption: true, describe: 'the folder' })
        .option('max-age', { type: 'string', describe: 'the newest good one may be so old', requiresArg: true })
        .options({ output: CONNECTION_OPTIONS.output })
        .example('$0 snapshot list /backup/seq --max-age 2h', 'for a check of backups: exit code 4 when they are stale'),
    (args) =>
      choose(async () => {
        const maxAgeMs = args['max-age'] === undefined ? undefined : parseDurationMs(args['max-age']);
        return (await import('./snapshot-schedule.js')).snapshotList({ folder: args.dir, maxAgeMs, output: parseFormat(args.output) }, voices.output);
      }),
  );
};
