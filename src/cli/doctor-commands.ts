import type { Argv } from 'yargs';
import { systemClock } from '../base/clock.js';
import { systemRandom } from '../base/random.js';
import { asLeaf, type Choose } from './command-tree.js';
import type { DoctorPart } from './doctor.js';
import type { Voices } from './member-session.js';
import { CONNECTION_OPTIONS, type ConnectionFlags, fromEnv, parseConnection } from './options.js';
import type { Output } from './output.js';

const CONFIG = fromEnv('config', {
  type: 'string',
  describe: "a node's config file: its disk and its stores are looked at",
  requiresArg: true,
} as const);
const FOLDER = { type: 'string', describe: 'the folder whose disk is measured, when there is no --config', requiresArg: true } as const;

/** `seqctl doctor` */
export function addDoctor(program: Argv, { output }: Voices, choose: Choose): void {
  program.command(
    'doctor',
    'what is wrong on this machine or with a config, and what to do about it',
    (command) =>
      asLeaf(command)
        .options({ ...CONNECTION_OPTIONS, config: CONFIG, folder: FOLDER })
        .example('$0 doctor --config /etc/seqsvr/store.yaml', 'as the user that the node runs as; exit code 4 when something fails')
        .example('$0 doctor --endpoints 10.0.0.4:7071', 'this machine, and whether it reaches that node'),
    (args) => choose(() => run(args, ['config', 'fsync', 'clock', 'network', 'machine'], output)),
  );
}

/** `seqctl check fsync|clock|network`: one part of the doctor's round each. */
export function addMachineChecks(group: Argv, { output }: Voices, choose: Choose): void {
  group
    .command(
      'fsync',
      'how long a write with fsync takes, whether that is plausible, and how much room is left',
      (leaf) =>
        asLeaf(leaf)
          .options({ ...CONNECTION_OPTIONS, config: CONFIG, folder: FOLDER })
          .example('$0 check fsync --folder /var/lib/seqsvr', 'before a store gets this disk'),
      (args) => choose(() => run({ ...args, folder: args.folder ?? '.' }, ['fsync'], output)),
    )
    .command(
      'clock',
      'whether the clocks of this machine agree for a second, and whether NTP keeps them',
      (leaf) => asLeaf(leaf).options(CONNECTION_OPTIONS).example('$0 check clock', 'exit code 4 when something fails'),
      (args) => choose(() => run({ ...args, config: undefined, folder: undefined }, ['clock'], output)),
    )
    .command(
      'network',
      'whether nodes are reached from here, how fast, and which version they are',
      (leaf) =>
        asLeaf(leaf)
          .options({ ...CONNECTION_OPTIONS, config: CONFIG })
          .example('$0 check network --endpoints 10.0.0.4:7071,10.0.0.5:7071', 'each one by itself'),
      (args) => choose(() => run({ ...args, folder: undefined }, ['network'], output)),
    );
}

async function run(
  flags: ConnectionFlags & { readonly config: string | undefined; readonly folder: string | undefined },
  parts: readonly DoctorPart[],
  output: Output,
): Promise<number> {
  const connection = parseConnection(flags);
  const [{ doctor }, { realProbes }] = await Promise.all([import('./doctor.js'), import('./doctor-probes.js')]);
  const args = { parts, config: flags.config, folder: flags.folder, endpoints: connection.endpoints, output: connection.output };
  return doctor(args, { output, probes: realProbes({ clock: systemClock, random: systemRandom }) });
}
