import type { Options } from 'yargs';
import { optional, SeqError, show } from '../base/errors.js';
import { splitAddress } from '../model/address.js';
import { Settings } from './contexts.js';
import { DEFAULT_PORT } from './dev-layout.js';
import { parseDurationMs } from './duration.js';
import { FORMATS, type Format } from './output.js';

/** What a command that talks to a cluster gets. */
export interface ConnectionArgs {
  readonly endpoints: readonly string[];
  /** For the whole command, in ms. */
  readonly timeoutMs: number;
  /** The user said how long to wait, by flag or variable. */
  readonly isTimeoutGiven: boolean;
  readonly output: Format;
  /** Absent: plain. */
  readonly tls?: DialFiles;
}

/** Where the certificates of a command are. */
export interface DialFiles {
  readonly ca: string;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly tokenFile: string | undefined;
}

/** The same as the command line has them. Undefined: no flag said so; then a variable, the context or the default does. */
export interface ConnectionFlags {
  readonly endpoints?: string | undefined;
  readonly timeout?: string | undefined;
  readonly output?: string | undefined;
  readonly context?: string | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly 'token-file'?: string | undefined;
}

export const TIMEOUT_DEFAULT = '5s';

/** What counts when nobody says otherwise. */
export const CONNECTION_DEFAULTS = { endpoints: `127.0.0.1:${DEFAULT_PORT}`, timeout: TIMEOUT_DEFAULT, output: 'table' } as const;

export const CONNECTION_OPTIONS = {
  endpoints: setting('endpoints', `where to ask first: host:port, several with commas (default ${CONNECTION_DEFAULTS.endpoints})`, 'Connection:'),
  timeout: setting('timeout', `for the whole command, such as 500ms, 2s or 5m (default ${TIMEOUT_DEFAULT}, less when nobody listens)`, 'Connection:'),
  context: setting('context', 'take the rest from this context, as config get-contexts shows it', 'Connection:'),
  ca: fileFlag('ca', 'TLS: the roots to believe, PEM'),
  cert: fileFlag('cert', 'TLS: the own certificate, PEM; its URI says the role'),
  key: fileFlag('key', "TLS: the certificate's private key, PEM"),
  'token-file': fileFlag('token-file', 'TLS: a file with a token, in place of a certificate'),
  output: { ...setting('output', 'table, wide, json or yaml (default table)', 'Output:'), alias: 'o' },
} as const satisfies Record<string, Options>;

/** For the whole of a command that waits until its change is complete. */
export const WAIT_DEFAULT = '5m';

export const WAITING_OPTIONS = {
  ...CONNECTION_OPTIONS,
  timeout: setting(
    'timeout',
    `for the whole command (default ${TIMEOUT_DEFAULT}; ${WAIT_DEFAULT} for what waits until a change is complete)`,
    'Connection:',
  ),
} as const satisfies Record<string, Options>;

export const WAIT = { type: 'boolean', default: true, describe: 'wait until it is complete (--no-wait: only until it is begun)' } as const;
export const YES = { type: 'boolean', default: false, describe: 'mean it: ask nothing' } as const;
export const DRY_RUN = { type: 'boolean', default: false, describe: 'only show what it would be' } as const;
export const REASON = { type: 'string', default: '', describe: 'why, for whoever reads arbiter history', requiresArg: true } as const;

/** `timeoutDefault`: for a command that waits for more than an answer. Throws INVALID_ARGUMENT with the value and the rule. */
export function parseConnection(flags: ConnectionFlags, timeoutDefault: string = TIMEOUT_DEFAULT): ConnectionArgs {
  const settings = new Settings(flags.context);
  const said = settings.valueOf('endpoints', flags.endpoints).value ?? CONNECTION_DEFAULTS.endpoints;
  const endpoints = said.split(',').map((endpoint) => endpoint.trim());
  if (endpoints.some((endpoint) => endpoint === '')) {
    throw new SeqError('INVALID_ARGUMENT', `--endpoints is host:port, several with commas, got '${said}'`);
  }
  for (const endpoint of endpoints) {
    if (splitAddress(endpoint).port === 0) throw new SeqError('INVALID_ARGUMENT', `an endpoint needs a port in [1, 65535], got '${endpoint}'`);
  }
  const timeout = settings.valueOf('timeout', flags.timeout).value;
  const timeoutMs = parseDurationMs(timeout ?? timeoutDefault);
  if (timeoutMs < 1) throw new SeqError('INVALID_ARGUMENT', `--timeout must be at least 1ms, got ${show(timeout)}`);
  return {
    endpoints,
    timeoutMs,
    isTimeoutGiven: timeout !== undefined,
    output: parseFormat(flags.output, flags.context),
    ...optional('tls', tlsOf(flags)),
  };
}

/** Undefined: plain. Throws INVALID_ARGUMENT for a certificate or token that would travel in the open. */
function tlsOf({ ca, cert, key, 'token-file': tokenFile }: ConnectionFlags): DialFiles | undefined {
  if (ca !== undefined) return { ca, cert, key, tokenFile };
  if (cert === undefined && key === undefined && tokenFile === undefined) return undefined;
  throw new SeqError('INVALID_ARGUMENT', '--cert, --key and --token-file need --ca: whom to believe at the other end');
}

function fileFlag(name: string, describe: string) {
  return fromEnv(name, { type: 'string', describe, group: 'Connection:', requiresArg: true });
}

/** Throws INVALID_ARGUMENT with the value and the rule. */
export function parseFormat(flag: string | undefined, context?: string): Format {
  const output = new Settings(context).valueOf('output', flag).value ?? CONNECTION_DEFAULTS.output;
  const format = FORMATS.find((each) => each === output);
  if (format === undefined) throw new SeqError('INVALID_ARGUMENT', `--output must be one of ${FORMATS.join(', ')}, got '${output}'`);
  return format;
}

/** Options of whole numbers come as text: yargs would make NaN of a slip, and the message could not show it. Throws INVALID_ARGUMENT. */
export function parseWhole(flag: string, text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw new SeqError('INVALID_ARGUMENT', `${flag} must be a whole number, got ${show(text)}`);
  return Number(text);
}

/**
 * An option that SEQSVR_<NAME> sets when the flag is absent. Done by hand: yargs' own env() takes every SEQSVR_*
 * variable for an option, and strict() then refuses those of other commands.
 */
export function fromEnv<Given extends Options & { readonly describe: string }>(name: string, options: Given): Given {
  const variable = variableOf(name);
  const value = process.env[variable];
  const described = { ...options, describe: `${options.describe} [env ${variable}]` };
  if (value === undefined || value === '') return described;
  return { ...described, default: value };
}

/** An option whose value may come from a variable or a context as well: see Settings, which looks when a command runs. */
function setting(name: string, describe: string, group: string) {
  return { type: 'string', describe: `${describe} [env ${variableOf(name)}]`, group, requiresArg: true } as const;
}

function variableOf(name: string): string {
  return `SEQSVR_${name.replaceAll('-', '_').toUpperCase()}`;
}
