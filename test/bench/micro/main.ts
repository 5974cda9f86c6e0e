import { run } from 'mitata';
import { codecs } from './codecs.js';
import { counters } from './counters.js';
import { planner } from './planner.js';
import { routing } from './routing.js';
import { lastSunk } from './sink.js';

/** `npm run bench:micro -- --only NAME[,NAME]`: the inner parts alone, each beside a baseline in the same run. */
const PARTS: Readonly<Record<string, () => void>> = { codecs, counters, planner, routing };

const [flag, names] = process.argv.slice(2);
const only = flag === '--only' ? (names ?? '').split(',') : Object.keys(PARTS);
const unknown = only.filter((name) => !Object.hasOwn(PARTS, name));
if (unknown.length > 0 || (flag !== undefined && flag !== '--only')) {
  console.error(`usage: npm run bench:micro -- [--only NAME[,NAME]], of ${Object.keys(PARTS).join(', ')}`);
  process.exitCode = 2;
} else {
  for (const name of only) PARTS[name]?.();
  await run({ throw: true });
  if (lastSunk() === undefined) throw new Error('nothing was measured');
}
