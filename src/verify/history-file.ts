import { messageOf, SeqError, show } from '../base/errors.js';
import { parseSeq, parseUid } from '../model/ids.js';
import type { Fault, Operation, Outcome } from './operation.js';

/** What a history file holds. */
export interface RecordedHistory {
  readonly operations: readonly Operation[];
  readonly faults: readonly Fault[];
  /** The number of the last line if it was cut off, as by a recorder that was killed: it is left out. */
  readonly cutOffLine: number | undefined;
}

/**
 * Reads a history file line by line (docs/history-format.md); empty lines are nothing. Throws INVALID_ARGUMENT with file, line, value and rule. Only
 * the last line may be no JSON: then it was cut off.
 */
export class HistoryParser {
  readonly #file: string;
  readonly #operations: Operation[] = [];
  readonly #faults: Fault[] = [];
  #line = 0;
  /** The last line was no JSON. Wrong as soon as another comes. */
  #broken: { readonly line: number; readonly error: SeqError } | undefined;

  /** `file`: what messages call it. */
  constructor(file: string) {
    this.#file = file;
  }

  add(text: string): void {
    this.#line += 1;
    if (text.trim() === '') return;
    if (this.#broken !== undefined) throw this.#broken.error;
    const value = this.#parseJson(text);
    if (this.#broken !== undefined) return;
    try {
      const entry = entryOf(value);
      if ('fault' in entry) this.#faults.push(entry);
      else this.#operations.push(entry);
    } catch (error) {
      if (!SeqError.is(error)) throw error;
      throw this.#wrong(error.message, error);
    }
  }

  finish(): RecordedHistory {
    return { operations: this.#operations, faults: this.#faults, cutOffLine: this.#broken?.line };
  }

  #parseJson(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      const rule = `a line is one JSON object, got ${show(text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text)}: ${messageOf(error)}`;
      this.#broken = { line: this.#line, error: this.#wrong(rule, error) };
      return undefined;
    }
  }

  #wrong(message: string, cause: unknown): SeqError {
    return new SeqError('INVALID_ARGUMENT', `${this.#file}:${this.#line}: ${message}`, { cause });
  }
}

const SHOWN_MAX = 60;

export function parseHistory(text: string, file: string): RecordedHistory {
  const parser = new HistoryParser(file);
  for (const line of text.split('\n')) parser.add(line);
  return parser.finish();
}

type Fields = Readonly<Record<string, unknown>>;

function entryOf(value: unknown): Operation | Fault {
  const fields = fieldsOf(value, 'a line');
  return 'fault' in fields ? faultOf(fields) : operationOf(fields);
}

function faultOf(fields: Fields): Fault {
  const fault = text(fields, 'fault');
  const fromNs = time(fields, 'fromNs');
  if (fields['toNs'] === undefined) return { fault, fromNs };
  const toNs = time(fields, 'toNs');
  if (toNs < fromNs) throw wrong(`a fault ends no earlier than it began: toNs must be at least ${fromNs}, got ${toNs}`);
  return { fault, fromNs, toNs };
}

const CALLS = ['next', 'current', 'advance'] as const;

function operationOf(fields: Fields): Operation {
  const call = CALLS.find((name) => name === fields['call']);
  if (call === undefined) throw wrong(`call must be one of ${CALLS.join(', ')}, got ${show(fields['call'])}`);
  const [invokedNs, returnedNs] = [time(fields, 'invokedNs'), time(fields, 'returnedNs')];
  if (returnedNs < invokedNs)
    throw wrong(`a call returns no earlier than it was invoked: returnedNs must be at least ${invokedNs}, got ${returnedNs}`);
  const operation = {
    id: whole(fields, 'id', 0),
    client: text(fields, 'client'),
    call,
    uid: parseUid(text(fields, 'uid')),
    count: call === 'next' ? whole(fields, 'count', 1) : 0,
    invokedNs,
    returnedNs,
    outcome: outcomeOf(fieldsOf(fields['outcome'], 'outcome'), call),
  };
  return call === 'advance' ? { ...operation, to: parseSeq(number(fields, 'to')) } : operation;
}

function outcomeOf(fields: Fields, call: Operation['call']): Outcome {
  const { type } = fields;
  if (type === 'refused' || type === 'unknown') return { type, error: text(fields, 'error') };
  if (type === 'numbers' && call === 'next') return { type, first: number(fields, 'first'), last: number(fields, 'last') };
  if (type === 'value' && call !== 'next') return { type, seq: number(fields, 'seq'), exact: call === 'current' && truth(fields, 'exact') };
  throw wrong(`outcome.type of ${call} must be ${call === 'next' ? 'numbers' : 'value'}, refused or unknown, got ${show(type)}`);
}

function fieldsOf(value: unknown, name: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(`${name} must be an object, got ${Array.isArray(value) ? 'a list' : show(value)}`);
  return value as Fields;
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw wrong(`${name} must be text, got ${show(value)}`);
  return value;
}

function truth(fields: Fields, name: string): boolean {
  const value = fields[name];
  if (typeof value !== 'boolean') throw wrong(`${name} must be true or false, got ${show(value)}`);
  return value;
}

function time(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value))
    throw wrong(`${name} must be a whole number of nanoseconds within 2^53, got ${show(value)}`);
  return value;
}

function whole(fields: Fields, name: string, min: number): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min)
    throw wrong(`${name} must be a whole number from ${min}, got ${show(value)}`);
  return value;
}

/** Any number of some 64 bits: that it is none which a service may give is for the check to find. */
function number(fields: Fields, name: string): bigint {
  const value = fields[name];
  if (typeof value !== 'string' || !/^-?\d{1,20}$/.test(value))
    throw wrong(`${name} must be a whole number as text of at most 20 digits, got ${show(value)}`);
  return BigInt(value);
}

function wrong(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}
