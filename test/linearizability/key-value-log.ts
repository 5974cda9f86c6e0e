import type { KeyValueInput } from './key-value.js';
import type { Call } from './model.js';
import { LineRecorder, RecordError } from './recorded-lines.js';

const TEXT = String.raw`"((?:[^"\\]|\\.)*)"`;
const EVENT = new RegExp(
  String.raw`^\{:process\s+(\d+),?\s+:type\s+:(invoke|ok),?\s+:f\s+:(get|put|append),?\s+:key\s+${TEXT},?\s+:value\s+(?:nil|${TEXT})\}\s*$`,
);

/** The calls of a key-value history of porcupine's. A call without a return returned '' after the last line. Throws RecordError naming the line. */
export function parseKeyValueLog(text: string): Call<KeyValueInput, string>[] {
  const recorder = new LineRecorder<KeyValueInput, string>();
  text.split('\n').forEach((content, index) => {
    if (content.trim() === '') return;
    const line = index + 1;
    const found = EVENT.exec(content);
    if (found === null) throw new RecordError(`line ${line}: not an event of a key-value history: '${content.slice(0, 80)}'`);
    const [, process = '', type, name, key = '', value = ''] = found;
    if (type === 'invoke') recorder.invoke(process, { type: name as KeyValueInput['type'], key, value }, line);
    else recorder.end(process, line, () => value);
  });
  return recorder.calls('');
}
