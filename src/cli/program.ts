import yargs, { type Argv } from 'yargs';
import { messageOf, SeqError } from '../base/errors.js';
import { addCluster, addRoute } from './cluster-commands.js';
import { addSeq } from './seq-commands.js';
import { asLeaf, type Choose, COMMANDS } from './command-tree.js';
import { unknownCommand, unknownFlag } from './did-you-mean.js';
import { DEFAULT_ALLOCS, DEFAULT_PORT, DEFAULT_STORES } from './dev-layout.js';
import { addDebug } from './debug-commands.js';
import { addDoctor } from './doctor-commands.js';
import { addEndpoint } from './endpoint-commands.js';
import { EXIT, exitCodeOf, explain } from './exit.js';
import { addInit } from './init-commands.js';
import { flagsIn, helpPage, LINE_WIDTH_MAX, pathOf } from './help.js';
import { addAlloc, addSet } from './alloc-commands.js';
import { addArbiter, addLease, addPolicy } from './arbiter-commands.js';
import { addLeader, addMember } from './member-commands.js';
import { CONNECTION_OPTIONS, fromEnv, parseFormat, parseWhole } from './options.js';
import { addBench, addCheck } from './bench-commands.js';
import { addCompletion } from './completion-commands.js';
import { addCert } from './cert-commands.js';
import { addConfig } from './config-commands.js';
import type { Voices } from './member-session.js';
import { type Output, print } from './output.js';
import { addSection } from './section-commands.js';
import { addSnapshot } from './snapshot-commands.js';
import { addImport } from './import-commands.js';
import { addStore } from './store-commands.js';
import { processTerminal, type Terminal } from './terminal.js';
import { programVersion } from './version.js';
import { keepYoungGenerationSmall } from './young-generation.js';

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export interface ProgramOptions {
  readonly name: 'seqsvr' | 'seqctl';
  readonly output: Output;
  /** Default: the process's own. */
  readonly terminal?: Terminal;
}

/** Runs one command line and gives its exit code. Never throws: it explains on stderr. */
export async function runProgram(args: readonly string[], { name, output, terminal = processTerminal }: ProgramOptions): Promise<number> {
  if (args[0] === COMPLETE) return complete(args.slice(1), name, { output, terminal });
  let chosen: (() => Promise<number>) | undefined;
  try {
    chosen = await chooseCommand(args, name, { output, terminal });
  } catch (error) {
    output.talk(`error: ${messageOf(error)}\nsee '${[name, ...pathOf(args)].join(' ')} --help'`);
    return EXIT.usage;
  }
  // Nothing chosen and nothing wrong: --help or --version was printed.
  if (chosen === undefined) return EXIT.ok;
  try {
    return await chosen();
  } catch (error) {
    output.talk(explain(error, { debug: args.includes('--debug'), changes: changesOf(args) }));
    return exitCodeOf(error);
  }
}

/** What the scripts of `completion` call. It is for no person, so no help has it. */
const COMPLETE = '__complete';

/** Prints what may stand in the place of the last word, one a line. A shell has no use for an error: then there is nothing. */
async function complete(words: readonly string[], name: string, voices: Voices): Promise<number> {
  const { completionsFor } = await import('./completion.js');
  const found = await completionsFor(words, {
    help: async (path) => (await parse([...path, '--help'], name, voices)).shown,
    names: async (kind, flags) => (await import('./completion-names.js')).liveNames(kind, flags, voices),
  });
  voices.output.out(found.map((word) => `${word}\n`).join(''));
  return EXIT.ok;
}

/** What a command line asks to be run; undefined: nothing more, help or version was printed. Throws INVALID_ARGUMENT that says what is wrong with it. */
export async function chooseCommand(args: readonly string[], name: string, voices: Voices): Promise<(() => Promise<number>) | undefined> {
  const path = pathOf(args);
  try {
    const { chosen, shown } = await parse(withoutDashes(args), name, voices);
    if (shown !== '') voices.output.out(args.includes('--version') ? `${shown}\n` : helpPage(shown, { name, path }));
    return chosen;
  } catch (cause) {
    // yargs keeps what is no flag under the name `_`, and fails in a way of its own when there is a flag of that name.
    if (cause instanceof TypeError) throw new SeqError('INVALID_ARGUMENT', 'a flag has a name that none can have', { cause });
    const page = async (): Promise<string> => helpPage((await parse([...path, '--help'], name, voices)).shown, { name, path });
    throw new SeqError('INVALID_ARGUMENT', await usageMessage(messageOf(cause), args, page), { cause });
  }
}

/** `shown`: what yargs would print, help or version; '' when it is a command to be run. */
async function parse(args: readonly string[], name: string, voices: Voices) {
  let chosen: (() => Promise<number>) | undefined;
  let shown = '';
  const program = buildProgram(args, name, voices, (run) => {
    chosen = run;
  });
  await program.parseAsync([...args], {}, (_error, _parsed, text) => {
    shown = text;
  });
  return { chosen, shown };
}

/** The whole command tree. What a command needs to run is imported when it runs: --help does not wait for gRPC. */
export function buildProgram(args: readonly string[], name: string, voices: Voices, choose: Choose): Argv {
  const program = yargs([...args])
    .scriptName(name)
    .usage('$0 <command>\n\nA replicated sequence service: every uid has a 64-bit number that only ever grows.')
    // The flags that every command has come last, and under a title of their own.
    .group(['help', 'debug', 'version'], 'General:')
    .option('debug', { type: 'boolean', default: false, describe: 'show where an error happened' })
    .version(programVersion())
    // The rest of what it says is not translated either, and usageMessage() reads it.
    .locale('en')
    .strict()
    .strictCommands()
    .demandCommand(1, `${name} needs a command: ${Object.keys(COMMANDS).join(', ')}`)
    .exitProcess(false)
    .fail(false)
    .wrap(Math.min(LINE_WIDTH_MAX, process.stdout.columns ?? LINE_WIDTH_MAX))
    .parserConfiguration({ 'duplicate-arguments-array': false })
    .example('$0 dev', 'start a whole cluster on this machine')
    .example('$0 seq next 42', 'take a number for uid 42')
    .example('$0 member list', 'the StoreSvrs and how far they are')
    .epilogue('Exit codes: 0 ok, 1 failed, 2 usage, 3 unreachable or too late, 4 not healthy, 5 refused for safety, 6 denied, 130 interrupted.');
  for (const add of [addDev, addStart, addVerify, addVersion]) add(program, voices.output, choose);
  for (const add of [
    addSeq,
    addCluster,
    addRoute,
    addEndpoint,
    addMember,
    addLeader,
    addSection,
    addAlloc,
    addArbiter,
    addPolicy,
    addLease,
    addSet,
    addSnapshot,
    addImport,
    addStore,
    addInit,
    addCert,
    addConfig,
    addCompletion,
    addBench,
    addCheck,
    addDoctor,
    addDebug,
  ])
    add(program, voices, choose);
  return program;
}

/** Where to look when the answer to a change was lost, by the group of its command. */
const LOOK_AT: Readonly<Record<string, string>> = {
  member: 'member list',
  leader: 'member list',
  section: 'section list',
  alloc: 'alloc list',
  arbiter: 'arbiter status',
  policy: 'policy show',
  lease: 'lease show',
  set: 'set list',
  import: 'seq current',
};

/** What an error may leave open that says nothing of numbers. */
function changesOf(args: readonly string[]): string | undefined {
  const group = args.find((arg) => Object.hasOwn(LOOK_AT, arg));
  return group === undefined ? undefined : `whether it was done is not known; 'seqctl ${LOOK_AT[group]}' shows what is`;
}

/** yargs names what it does not know, and no more. `page` is the help of the command that was meant. */
async function usageMessage(message: string, args: readonly string[], page: () => Promise<string>): Promise<string> {
  const word = /^Unknown commands?: ([^,]+)/.exec(message)?.[1];
  if (word !== undefined) {
    const group = args.slice(0, args.indexOf(word)).find((arg) => Object.hasOwn(COMMANDS, arg));
    return unknownCommand(word, group === undefined ? Object.keys(COMMANDS) : (COMMANDS[group] ?? []));
  }
  const flag = /^Unknown arguments?: ([^,]+)/.exec(message)?.[1];
  const isFlag = args.some((arg) => arg.replace(/=.*/, '') === `--${flag}`);
  return flag !== undefined && isFlag ? unknownFlag(flag, flagsIn(await page())) : message;
}

/**
 * yargs gives a command's positionals nothing of what follows a `--`. A negative number is no flag to it, so `-- -1`
 * means the same without the `--`; where flags follow, the line stays as it is and is refused.
 */
function withoutDashes(args: readonly string[]): readonly string[] {
  const at = args.indexOf('--');
  if (at === -1 || args.slice(at + 1).some((arg) => /^-[^\d]/.test(arg))) return args;
  return args.toSpliced(at, 1);
}

function addDev(program: Argv, output: Output, choose: Choose): void {
  program.command(
    'dev',
    'start a whole cluster on this machine, each node a process of its own',
    (command) =>
      asLeaf(command)
        .option(
          'data',
          fromEnv('data', { type: 'string', default: './seqsvr-data', describe: 'folder for data, configs and logs', requiresArg: true }),
        )
        .option(
          'port',
          fromEnv('port', {
            type: 'string',
            default: String(DEFAULT_PORT),
            describe: 'the address clients use first (0: any free)',
            requiresArg: true,
          }),
        )
        .option('stores', { type: 'string', describe: `StoreSvrs: 1, 3 or 5 (default ${DEFAULT_STORES}, or what the data has)`, requiresArg: true })
        .option('allocs', { type: 'string', default: String(DEFAULT_ALLOCS), describe: 'AllocSvrs', requiresArg: true })
        .option('restart', { type: 'boolean', default: true, describe: 'start a node that died again (--no-restart: leave it down)' })
        .example('$0 dev', `three stores and three AllocSvrs behind 127.0.0.1:${DEFAULT_PORT}`)
        .example('$0 dev --data /var/tmp/seq --port 7700 --no-restart', 'other data, another port, and what dies stays dead'),
    (args) => {
      choose(async () => {
        const options = {
          data: args.data,
          port: parseWhole('--port', args.port),
          stores: args.stores === undefined ? undefined : parseWhole('--stores', args.stores),
          allocs: parseWhole('--allocs', args.allocs),
          restart: args.restart,
        };
        return (await import('./dev.js')).dev(options, output);
      });
    },
  );
}

function addStart(program: Argv, _output: Output, choose: Choose): void {
  program.command(
    'start',
    'run one node, a store or an AllocSvr, until SIGTERM',
    (command) =>
      asLeaf(command)
        .option('config', fromEnv('config', { type: 'string', demandOption: true, describe: 'the config file (YAML)', requiresArg: true }))
        .option('log-level', fromEnv('log-level', { choices: LOG_LEVELS, default: 'info' as const, describe: 'drop log lines below it' }))
        .option('worker', {
          type: 'string',
          describe: 'which worker of an AllocSvr config to be, from 1 (its supervisor says)',
          hidden: true,
          requiresArg: true,
        })
        .example('$0 start --config /etc/seqsvr/store.yaml', 'see deploy/config for files with every key explained'),
    (args) =>
      choose(async () => {
        const worker = args.worker === undefined ? undefined : parseWhole('--worker', args.worker);
        // Before the rest is loaded, which would make it grow.
        keepYoungGenerationSmall();
        return (await import('./start.js')).start({ config: args.config, logLevel: args.logLevel, worker });
      }),
  );
}

function addVerify(program: Argv, output: Output, choose: Choose): void {
  program.command(
    'verify',
    'check a recorded history: was every number handed out once, and in order',
    (command) =>
      asLeaf(command)
        .option('history', {
          type: 'string',
          demandOption: true,
          describe: 'the file: a JSON object a line, docs/history-format.md',
          requiresArg: true,
        })
        .option('timeline', { type: 'string', describe: 'where to draw what is violated, as a page for a browser', requiresArg: true })
        .options({ output: CONNECTION_OPTIONS.output })
        .example('$0 verify --history run.jsonl', 'prints OK, or VIOLATED with the offending pairs and exit code 1')
        .example('$0 verify --history run.jsonl --timeline run.html', 'draws the violations in time'),
    (args) =>
      choose(async () =>
        (await import('./verify.js')).verify({ history: args.history, timeline: args.timeline, output: parseFormat(args.output) }, output),
      ),
  );
}

function addVersion(program: Argv, output: Output, choose: Choose): void {
  program.command(
    'version',
    'the version of this program',
    (command) => asLeaf(command).options({ output: CONNECTION_OPTIONS.output }).example('$0 version -o json', 'for a program'),
    (args) =>
      choose(() => {
        const version = programVersion();
        print(output, parseFormat(args.output), {
          kind: 'Version',
          body: { version, node: process.version },
          table: `seqsvr ${version} (node ${process.version})\n`,
        });
        return Promise.resolve(EXIT.ok);
      }),
  );
}
