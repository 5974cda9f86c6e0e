import { noise } from './mutate.js';
import type { Target } from './target.js';

const leaked: Uint8Array[] = [];
const SHAPE = { parts: 'one', payload: 'raw' } as const;

/** Targets with a bug each, to show that the fuzzer finds it. Never run but by its own tests. */
export const planted: readonly Target[] = [
  {
    name: 'planted-crash',
    about: 'reads past what it was given',
    shape: SHAPE,
    generate: (random) => Uint8Array.from([1, 2, 3, ...noise(random, 6)]),
    feed: (input) => {
      if (input[0] !== 1 || input[1] !== 2) return 'INVALID_ARGUMENT no header';
      if (input[2] === 0x7f) throw new TypeError('cannot read properties of undefined');
      return 'ok';
    },
  },
  {
    name: 'planted-hang',
    about: 'never ends on one byte',
    shape: SHAPE,
    generate: (random) => noise(random, 4),
    feed: (input) => {
      while (input[0] === 0x80) void 0;
      return 'ok';
    },
  },
  {
    name: 'planted-leak',
    about: 'keeps all that it was given',
    shape: SHAPE,
    generate: (random) => noise(random, 4),
    feed: () => {
      leaked.push(new Uint8Array(64 * 1024));
      return 'ok';
    },
  },
  {
    name: 'planted-late',
    about: 'throws after it has answered',
    shape: SHAPE,
    generate: (random) => noise(random, 4),
    feed: async (input) => {
      if (input[0] === 0x80)
        setImmediate(() => {
          throw new Error('too late for anybody to catch');
        });
      await new Promise((resolve) => setImmediate(resolve));
      return 'ok';
    },
  },
];
