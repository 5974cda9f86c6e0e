import { messageOf } from '../../src/base/errors.js';

const POLL_EVERY_MS = 25;

/** Asks again and again until `probe` answers something. Throws with the last thing known when that takes longer than `limitMs`. */
export async function until<Value>(what: string, limitMs: number, probe: () => Promise<Value | undefined> | Value | undefined): Promise<Value> {
  const endMs = performance.now() + limitMs;
  let last = 'nothing';
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined) return value;
    } catch (error) {
      last = messageOf(error);
    }
    if (performance.now() > endMs) throw new Error(`not within ${limitMs} ms: ${what} (last error: ${last})`);
    await pause(POLL_EVERY_MS);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
