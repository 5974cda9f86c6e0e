import type { RegisterInput, RegisterOutput } from './cas-register.js';
import type { Call } from './model.js';
import { LineRecorder, RecordError } from './recorded-lines.js';

/** `INFO jepsen.util - PROCESS :TYPE :CALL ARGUMENT`, with tabs or spaces between. What is of no process (a nemesis, other loggers) is no event. */
const EVENT = /^\S+\s+jepsen\.util\s+-\s+(\d+)\s+:(\w+)\s+:(\w+)\s+(.*?)\s*$/;

/**
 * The calls of a jepsen log of etcd, one register. `:info` leaves a call open for ever, for its process is never used again; a read that
 * timed out told nothing. Throws RecordError naming the line.
 */
export function parseEtcdLog(text: string): Call<RegisterInput, RegisterOutput>[] {
  const recorder = new LineRecorder<RegisterInput, RegisterOutput>();
  text.split('\n').forEach((content, index) => {
    const [, process = '', type = '', name = '', argument = ''] = EVENT.exec(content) ?? [];
    if (process === '') return;
    const line = index + 1;
    if (type === 'invoke') recorder.invoke(process, parseInput(name, argument, line), line);
    else if (type === 'ok' || type === 'fail') recorder.end(process, line, (input) => parseOutput(input, { isDone: type === 'ok', argument, line }));
    else if (type !== 'info') throw new RecordError(`line ${line}: an event is invoke, ok, fail or info, got '${type}'`);
  });
  return recorder.calls();
}

function parseInput(name: string, argument: string, line: number): RegisterInput {
  const numbers = argument.match(/-?\d+/g)?.map(Number) ?? [];
  const [first, second] = numbers;
  if (name === 'read') return { type: 'read' };
  if (name === 'write' && first !== undefined && numbers.length === 1) return { type: 'write', value: first };
  if (name === 'cas' && first !== undefined && second !== undefined && numbers.length === 2) return { type: 'cas', from: first, to: second };
  throw new RecordError(`line ${line}: a call is read, write N or cas [N N], got '${name} ${argument}'`);
}

/** A failed write or a failed read did nothing; a failed compare-and-set found another value, unless it only came too late. */
function parseOutput(
  input: RegisterInput,
  event: { readonly isDone: boolean; readonly argument: string; readonly line: number },
): RegisterOutput | 'nothing' {
  const { isDone, argument, line } = event;
  if (input.type === 'cas' && (isDone || argument.startsWith('['))) return { type: 'compared', isDone };
  if (!isDone) return 'nothing';
  if (input.type === 'write') return { type: 'written' };
  if (argument === 'nil') return { type: 'read', value: undefined };
  if (!/^-?\d+$/.test(argument)) throw new RecordError(`line ${line}: a read returns a whole number or nil, got '${argument}'`);
  return { type: 'read', value: Number(argument) };
}
