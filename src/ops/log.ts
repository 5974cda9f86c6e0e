import { type Logger, pino, stdTimeFunctions } from 'pino';
import type { Observer } from '../base/observe.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** One line per state change: level, time, node, component, event, the event's own fields, msg. */
export interface Log {
  /** `event` names the change as code does ('maxSeqRaised'); `fields` may hold bigints and errors. Never throws, never waits. */
  write(level: LogLevel, event: string, fields?: object): void;
  /** The same log with another `component` field. */
  component(name: string): Log;
}

export interface LogOptions {
  /** The node's name in its configuration. */
  readonly node: string;
  /** Lines below it are dropped. Default 'info'. */
  readonly level?: LogLevel;
  /** Where lines go. Default: standard error, written synchronously, so that the last line before an exit is not lost. */
  readonly sink?: { write(line: string): void };
}

export function createLog(options: LogOptions): Log {
  const sink = options.sink ?? pino.destination({ fd: 2, sync: true });
  const logger = pino(
    {
      level: options.level ?? 'info',
      base: { node: options.node },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  );
  return logOf(logger);
}

/**
 * An observer that writes each event of a union as one line; `type` becomes `event`.
 * `levels` names the events that are not worth 'info', or worth more.
 */
export function eventLogger<Event extends { readonly type: string }>(
  log: Log,
  levels: { readonly [Type in Event['type']]?: LogLevel } = {},
): Observer<Event> {
  const levelOf: Readonly<Record<string, LogLevel | undefined>> = levels;
  return (event) => {
    const { type, ...fields } = event;
    log.write(levelOf[type] ?? 'info', type, fields);
  };
}

function logOf(logger: Logger): Log {
  return {
    write: (level, event, fields = {}) => logger[level]({ event, ...(plain(fields) as object) }, sentenceOf(event)),
    component: (name) => logOf(logger.child({ component: name })),
  };
}

/** How deep a field may nest before it is cut: an event is flat, so deeper is a mistake and must not loop. */
const DEPTH_MAX = 5;

/** pino prints a bigint as a bare number, and a reader would lose its last digits above 2^53: so it becomes text. */
function plain(value: unknown, depth = 0): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Error) return plainError(value, depth);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) return '...';
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item, depth + 1)]));
}

function plainError(error: Error, depth: number): object {
  const code = 'code' in error ? { code: error.code } : {};
  const cause = error.cause === undefined || depth >= DEPTH_MAX ? {} : { cause: plain(error.cause, depth + 1) };
  // The stack belongs to a bug; an expected outcome has a code and a sentence instead.
  const stack = 'code' in error ? {} : { stack: error.stack };
  return { name: error.name, ...code, message: error.message, ...cause, ...stack };
}

/** 'maxSeqRaised' -> 'max seq raised'. */
function sentenceOf(event: string): string {
  return event.replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
}
