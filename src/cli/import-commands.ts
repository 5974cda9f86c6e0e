import type { Argv } from 'yargs';
import { SeqError, show } from '../base/errors.js';
import { SEQ_MAX } from '../model/ids.js';
import { splitAddress } from '../model/address.js';
import { asLeaf, type Choose } from './command-tree.js';
import type { ImportArgs } from './import.js';
import type { Voices } from './member-session.js';
import { CONNECTION_OPTIONS, DRY_RUN, parseConnection, parseWhole, YES } from './options.js';

const SOURCES = ['csv', 'redis', 'postgres', 'mysql'] as const;
/** Of each call: a raise may be waited for. */
const CALL_TIMEOUT_DEFAULT = '30s';
const PASSWORD_VARIABLE = 'SEQSVR_REDIS_PASSWORD';

/** `seqctl import` */
export function addImport(program: Argv, voices: Voices, choose: Choose): void {
  program.command(
    `import`,
    'lift counters to what another system has handed out, forward only, and prove that nothing overlaps',
    (leaf) =>
      asLeaf(leaf)
        .option(`from`, { choices: SOURCES, demandOption: true, describe: 'where the numbers are: a CSV of uid,seq, or one of these' })
        .option('file', {
          type: 'string',
          default: '-',
          describe: 'of csv, postgres and mysql: the lines, or - for standard input',
          requiresArg: true,
        })
        .option('redis', { type: 'string', default: '127.0.0.1:6379', describe: 'host:port of Redis', requiresArg: true })
        .option('redis-db', { type: 'string', default: '0', describe: `its database; a password comes from ${PASSWORD_VARIABLE}`, requiresArg: true })
        .option('prefix', { type: 'string', default: '', describe: 'of Redis: a key is this and the uid', requiresArg: true })
        .option('margin', { type: 'string', default: '0', describe: 'lift by so much more: what the source goes on to hand out', requiresArg: true })
        .option('shadow', { type: 'boolean', default: false, describe: 'only compare: exit code 1 when a counter stands below the source' })
        .options({ 'dry-run': DRY_RUN, yes: YES, ...CONNECTION_OPTIONS })
        .example('$0 import --from redis --redis 10.0.0.9:6379 --prefix seq: --margin 100000 --yes', 'while Redis serves')
        .example('$0 import --from redis --redis 10.0.0.9:6379 --prefix seq: --shadow', 'before callers are switched over')
        .example('$0 import --from csv --file counters.csv --dry-run', 'reads it all, and changes nothing')
        .example(`psql -c "COPY (SELECT uid, max_id FROM segments) TO STDOUT" | $0 import --from postgres --yes`, 'a segment table, as Leaf has it'),
    (args) =>
      choose(async () => {
        if (args.shadow && args['dry-run']) throw new SeqError('INVALID_ARGUMENT', '--shadow and --dry-run are two things: give one of them');
        const { host, port } = splitAddress(args.redis);
        const redis = {
          host,
          port,
          database: parseWhole('--redis-db', args['redis-db']),
          prefix: args.prefix,
          password: process.env[PASSWORD_VARIABLE],
        };
        const source: ImportArgs['source'] = args.from === 'redis' ? { type: 'redis', redis } : { type: 'lines', file: args.file };
        const mode = args.shadow ? 'shadow' : args['dry-run'] ? 'dry-run' : 'apply';
        const what = { source, mode, margin: parseMargin(args.margin), isConfirmed: args.yes } as const;
        return (await import('./import.js')).importCounters({ ...parseConnection(args, CALL_TIMEOUT_DEFAULT), ...what }, voices);
      }),
  );
}

function parseMargin(text: string): bigint {
  const margin = /^\d{1,19}$/.test(text) ? BigInt(text) : -1n;
  if (margin < 0n || margin > SEQ_MAX) throw new SeqError('INVALID_ARGUMENT', `--margin must be a whole number in [0, 2^63), got ${show(text)}`);
  return margin;
}
