import { z } from 'zod';
import type { Limits } from '../alloc/quotas.js';
import * as fields from './config-fields.js';

const OPERATIONS_MAX = 1_000_000_000;
/** Numbers are counted where they are exact. */
const NUMBERS_MAX = 1_000_000_000_000;
const BURST_MS = 1_000;
const BURST_MAX_MS = 60_000;

/** The key `limits` of an AllocSvr's config file. */
export const limitsSchema = z.strictObject({
  operationsPerSecond: fields
    .integerOr(0, { from: 0, to: OPERATIONS_MAX })
    .describe('Operations a second of one address of clients. More is answered with RESOURCE_EXHAUSTED. 0: no limit.'),
  numbersPerSecond: fields
    .integerOr(0, { from: 0, to: NUMBERS_MAX })
    .describe('Numbers a second of one address: a range takes many at once, and each raise of max_seq is sized by them. 0: no limit.'),
  burst: fields.durationOr(BURST_MS, { fromMs: 1, toMs: BURST_MAX_MS }).describe('As much as this time brings may come at once.'),
});

export function toLimits({ operationsPerSecond, numbersPerSecond, burst }: z.infer<typeof limitsSchema>): Limits {
  return { operationsPerSecond, numbersPerSecond, burstMs: burst };
}
