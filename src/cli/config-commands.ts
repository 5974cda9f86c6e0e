import type { Argv } from 'yargs';
import { asLeaf, type Choose, needOf } from './command-tree.js';
import { addContexts } from './context-commands.js';
import type { Voices } from './member-session.js';
import { CONNECTION_OPTIONS, parseFormat } from './options.js';

const REDACT = { type: 'boolean', default: false, describe: 'hide paths, too: for a ticket (secrets are never shown)' } as const;

/** `seqsvr config ...`: config files of nodes, and the contexts of a user, without a cluster. */
export function addConfig(program: Argv, voices: Voices, choose: Choose): void {
  const { output } = voices;
  program.command('config', 'check config files of nodes, and say which cluster commands go to', (group) =>
    addContexts(group.demandCommand(1, needOf('config')), voices, choose)
      .command(
        'check <path>',
        'whether a node would start with a config file, or with each of a folder: problems with file, line, key, value, rule',
        (leaf) =>
          asLeaf(leaf)
            .positional('path', { type: 'string', demandOption: true, describe: 'a config file (YAML), or a folder of them' })
            .options({ output: CONNECTION_OPTIONS.output })
            .example('$0 config check store.yaml', 'exit code 0 when it is good, 2 otherwise')
            .example('$0 config check /etc/seqsvr', 'every .yaml file of the folder'),
        (args) => choose(async () => (await import('./config-files.js')).configCheck({ path: args.path, output: parseFormat(args.output) }, output)),
      )
      .command(
        'show <file>',
        'every setting in effect, and whether file, environment or default said so',
        (leaf) =>
          asLeaf(leaf)
            .positional('file', { type: 'string', demandOption: true, describe: 'a config file (YAML)' })
            .option('redact', REDACT)
            .options({ output: CONNECTION_OPTIONS.output })
            .example('$0 config show store.yaml', 'with the line of each key that the file has'),
        (args) =>
          choose(async () => {
            const options = { file: args.file, output: parseFormat(args.output), isRedacted: args.redact, environment: process.env };
            return (await import('./config-files.js')).configShow(options, output);
          }),
      )
      .command(
        'schema',
        'the JSON Schema of config files, for editors',
        (leaf) =>
          asLeaf(leaf)
            .option('role', { choices: ['store', 'alloc'] as const, describe: 'of one role only' })
            .example('$0 config schema > seqsvr.schema.json', 'then "# yaml-language-server: $schema=seqsvr.schema.json" in a file'),
        (args) => choose(async () => (await import('./config-files.js')).configSchema(args.role, output)),
      )
      .example('$0 config check store.yaml', 'before a node is restarted with it'),
  );
}
