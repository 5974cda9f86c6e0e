import type { Argv } from 'yargs';
import { asLeaf, type Choose, needOf } from './command-tree.js';
import type { Voices } from './member-session.js';
import { CONNECTION_OPTIONS, parseFormat, parseWhole } from './options.js';

const OUT = {
  type: 'string',
  default: '.',
  describe: 'the folder where NAME.crt and NAME.key go; nothing is written over',
  requiresArg: true,
} as const;
const SIGNER = {
  'ca-cert': { type: 'string', demandOption: true, describe: "the root's certificate, PEM", requiresArg: true },
  'ca-key': { type: 'string', demandOption: true, describe: "the root's private key, PEM", requiresArg: true },
} as const;
const days = (count: number) => ({ type: 'string', default: String(count), describe: 'how long it counts', requiresArg: true }) as const;
const name = (describe: string) => ({ type: 'string', demandOption: true, describe, requiresArg: true }) as const;

/** `seqctl cert ...`: certificates for sites without a public-key infrastructure of their own. Works on files alone. */
export function addCert(program: Argv, { output }: Voices, choose: Choose): void {
  program.command('cert', 'make and read certificates', (group) =>
    group
      .options({ output: CONNECTION_OPTIONS.output })
      .demandCommand(1, needOf('cert'))
      .command(
        'create-ca',
        'make a root: ca.crt, which everybody gets, and ca.key, which nobody does',
        (leaf) =>
          asLeaf(leaf)
            .option('name', { type: 'string', default: 'seqsvr-ca', describe: 'its name', requiresArg: true })
            .option('days', days(3_650))
            .option('out', OUT)
            .example('$0 cert create-ca --out callers', 'whoever may call')
            .example('$0 cert create-ca --name peers --out peers', 'another one for the ports between stores'),
        (args) =>
          choose(async () => {
            const options = { name: args.name, days: parseWhole('--days', args.days), out: args.out, output: parseFormat(args.output) };
            return (await import('./cert.js')).createCa(options, output);
          }),
      )
      .command(
        'create-node',
        'a certificate for a store or an AllocSvr, which serves and dials',
        (leaf) =>
          asLeaf(leaf)
            .options(SIGNER)
            .option('role', { choices: ['store', 'alloc'] as const, demandOption: true, describe: 'what it is' })
            .option('name', name('its name in its config file'))
            .option('host', { type: 'string', demandOption: true, describe: 'names and addresses that others dial, with commas', requiresArg: true })
            .option('days', days(365))
            .option('out', OUT)
            .example(
              '$0 cert create-node --role store --name s1 --host s1.example,10.0.0.1 --ca-cert ca.crt --ca-key ca.key',
              'makes s1.crt and s1.key',
            ),
        (args) =>
          choose(async () => {
            const hosts = args.host.split(',').map((host) => host.trim());
            const options = { ...args, hosts, isServer: true, days: parseWhole('--days', args.days), output: parseFormat(args.output) };
            return (await import('./cert.js')).createLeaf(options, output);
          }),
      )
      .command(
        'create-client',
        'a certificate for who only calls: a client, an operator, a monitor',
        (leaf) =>
          asLeaf(leaf)
            .options(SIGNER)
            .option('role', {
              choices: ['client', 'admin', 'monitor'] as const,
              default: 'client' as const,
              describe: 'what it may do (SECURITY.md)',
            })
            .option('name', name('who it is, for the audit trail'))
            .option('days', days(90))
            .option('out', OUT)
            .example('$0 cert create-client --name orders --ca-cert ca.crt --ca-key ca.key', 'may take numbers')
            .example('$0 cert create-client --role admin --name carol --ca-cert ca.crt --ca-key ca.key', 'may operate the cluster'),
        (args) =>
          choose(async () => {
            const options = { ...args, hosts: [], isServer: false, days: parseWhole('--days', args.days), output: parseFormat(args.output) };
            return (await import('./cert.js')).createLeaf(options, output);
          }),
      )
      .command(
        'inspect <files..>',
        'what stands in certificates, and how long they count',
        (leaf) =>
          asLeaf(leaf)
            .positional('files', { type: 'string', array: true, demandOption: true, describe: 'PEM files' })
            .option('warn-days', { type: 'string', default: '14', describe: 'warn of what ends within so many days', requiresArg: true })
            .example('$0 cert inspect node.crt ca.crt', 'exit code 4 when one does not count, or ends soon'),
        (args) =>
          choose(async () => {
            const options = { files: args.files, warnDays: parseWhole('--warn-days', args['warn-days']), output: parseFormat(args.output) };
            return (await import('./cert.js')).inspectCerts(options, output);
          }),
      )
      .example('$0 cert create-ca', 'where all others begin')
      .example('$0 cert inspect node.crt', 'role, names, and days left'),
  );
}
