import type { Argv } from 'yargs';
import { systemClock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { splitAddress } from '../model/address.js';
import { asLeaf, type Choose, needOf } from './command-tree.js';
import type { Voices } from './member-session.js';
import { CONNECTION_OPTIONS, parseConnection } from './options.js';

/** `seqctl debug ...` */
export function addDebug(program: Argv, { output }: Voices, choose: Choose): void {
  program.command('debug', 'what a helper needs to see', (group) =>
    group
      .demandCommand(1, needOf('debug'))
      .command(
        'bundle',
        'status, metrics, settings without secrets, versions and the doctor’s findings in one archive',
        (leaf) =>
          asLeaf(leaf)
            .options(CONNECTION_OPTIONS)
            .option('out', { type: 'string', demandOption: true, describe: 'the archive to write, .tar.gz; none is overwritten', requiresArg: true })
            .option('admin', { type: 'string', describe: 'admin ports, for /metrics and /readyz: host:port, several with commas', requiresArg: true })
            .option('config', {
              type: 'string',
              describe: 'config files, several with commas: only settings go in, no secrets, no paths',
              requiresArg: true,
            })
            .example('$0 debug bundle --out seqsvr.tar.gz --admin 10.0.0.4:7072', 'read it before you give it away'),
        (args) =>
          choose(async () => {
            const [{ debugBundle, BUNDLE_SOURCES_MAX }, { realProbes }] = await Promise.all([
              import('./debug-bundle.js'),
              import('./doctor-probes.js'),
            ]);
            const [admins, configs] = [listOf(args.admin), listOf(args.config)];
            for (const admin of admins) splitAddress(admin);
            if (admins.length + configs.length > BUNDLE_SOURCES_MAX)
              throw new SeqError(
                'INVALID_ARGUMENT',
                `--admin and --config name at most ${BUNDLE_SOURCES_MAX} together, got ${admins.length + configs.length}`,
              );
            const probes = realProbes({ clock: systemClock, random: systemRandom });
            return debugBundle({ ...parseConnection(args), out: args.out, admins, configs }, { output, probes });
          }),
      )
      .example('$0 debug bundle --out seqsvr.tar.gz', 'one file for a ticket'),
  );
}

function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
