import { setFlagsFromString } from 'node:v8';

/**
 * Keeps the young generation of this process as small as it begins, about 2 MB, where V8 would let it grow to some 50. Call it first of all.
 *
 * A server's garbage dies at once, so a small one costs no more to collect; it stays near the processor, and what frames are received in is freed
 * before V8 takes it for a want of memory and marks the whole heap several times a second. Figures: docs/performance.md.
 */
export function keepYoungGenerationSmall(): void {
  // Read whenever V8 would grow it, so it works in a process that runs already, however that was started.
  setFlagsFromString('--semi-space-growth-factor=1');
}
