import { crc32 } from 'node:zlib';
import {
  decodeApplied,
  decodeHardState,
  decodeStart,
  encodeApplied,
  encodeHardState,
  encodeStart,
  logKey,
} from '../../../src/store/level-records.js';
import type { SeededRandom } from '../../unit/seeded-random.js';
import { noise } from '../mutate.js';
import { mustHold, outcomeOf, type Target } from '../target.js';

/** Where the log begins, hard state, applied index: every record is read as each of the three. */
const KINDS: readonly ((bytes: Uint8Array) => Uint8Array)[] = [
  (bytes) => encodeStart(decodeStart(bytes)),
  (bytes) => encodeHardState(decodeHardState(bytes)),
  (bytes) => encodeApplied(decodeApplied(bytes)),
];

export const levelRecords: Target = {
  name: 'level-records',
  about: 'start of the log, hard state and applied index as LevelDB gives them back (store/level-records.ts), and log keys',
  shape: { parts: 'one', payload: 'raw', seal },
  generate(random) {
    const number = (): number => random.pick([0, 1, 7, 2 ** 32, 2 ** 48 - 1]);
    switch (random.below(3)) {
      case 0:
        return encodeStart({ firstIndex: number(), termBefore: number(), hashBefore: noise(random, 16) });
      case 1:
        return encodeHardState({ term: number(), votedFor: random.pick([undefined, 1, 2 ** 32]), commitIndex: number() });
      default:
        return encodeApplied({ index: number(), digest: noise(random, 16), confState: confStateOf(random) });
    }
  },
  feed(input) {
    const outcomes = KINDS.map((again) =>
      outcomeOf(() => {
        mustHold(Buffer.from(again(input)).equals(input), 'a record that is taken is the one form of what it says');
        return 'ok';
      }, 'DamageError too'),
    );
    checkKeys(input);
    return outcomes.find((outcome) => outcome === 'ok') ?? outcomes.join(' | ');
  },
};

function confStateOf(random: SeededRandom) {
  const ids = (): number[] => [...new Set(Array.from({ length: random.below(4) }, () => 1 + random.below(9)))].sort((one, other) => one - other);
  return { voters: ids(), votersOutgoing: ids(), learners: ids(), learnersNext: ids(), autoLeave: random.chance(0.5) };
}

/** LevelDB orders by bytes: keys must lie as their indices do, and be read back as they were made. */
function checkKeys(input: Uint8Array): void {
  if (input.length < 12) return;
  const bytes = Buffer.from(input);
  const [one, other] = [bytes.readUIntBE(0, 6), bytes.readUIntBE(6, 6)];
  mustHold(Number(logKey(one).slice(4)) === one, 'a log key names its index');
  mustHold(logKey(one) < logKey(other) === one < other, 'log keys are in the order of the log');
}

function seal(payload: Uint8Array): Uint8Array {
  if (payload.length < 4) return payload;
  const bytes = Buffer.from(payload);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, bytes.length - 4)), bytes.length - 4);
  return bytes;
}
