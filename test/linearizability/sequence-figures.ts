import { performance } from 'node:perf_hooks';
import { checkHistory } from '../../src/verify/check-history.js';
import type { Operation } from '../../src/verify/operation.js';
import { SeededRandom } from '../unit/seeded-random.js';

const UIDS = 100;
const CLIENTS = 20;
const RANGE = 50;

/** How long the exact check takes for that many operations of a correct service, beside a plain sort of the same operations by invocation. */
export function sequenceFigures(count: number): string {
  const operations = playedOperations(count);
  const sort = costOf(() => operations.toSorted((one, other) => one.invokedNs - other.invokedNs));
  let isValid = false;
  const check = costOf(() => {
    isValid = checkHistory(operations).isValid;
  });
  return `sequence check: ${count} operations ${isValid ? 'ok' : 'violated'} in ${check}; a plain sort of them by invocation: ${sort}`;
}

/** In the order in which they end, as a recorder has them: ranges, unknown outcomes and exact reads among them. */
function playedOperations(count: number): Operation[] {
  const random = new SeededRandom(1);
  const last = new Map<bigint, bigint>();
  return Array.from({ length: count }, (_, id): Operation => {
    const uid = BigInt(random.below(UIDS));
    const before = last.get(uid) ?? 0n;
    const draw = random.below(100);
    const size = draw < 60 || draw >= 98 ? 1 : draw < 80 ? RANGE : 0;
    const after = before + BigInt(size);
    last.set(uid, after);
    const invokedNs = id * 1_000 - random.below(10_000);
    const call = { id, client: `w${id % CLIENTS}`, uid, count: size, invokedNs, returnedNs: id * 1_000 + 900 };
    if (size === 0) return { ...call, call: 'current', outcome: { type: 'value', seq: after, exact: true } };
    const outcome = draw >= 98 ? ({ type: 'unknown', error: 'TIMEOUT' } as const) : ({ type: 'numbers', first: before + 1n, last: after } as const);
    return { ...call, call: 'next', outcome };
  });
}

/** On a busy machine the time on the processor says more. */
function costOf(work: () => void): string {
  const [startedAt, before] = [performance.now(), process.cpuUsage()];
  work();
  const { user, system } = process.cpuUsage(before);
  return `${(performance.now() - startedAt).toFixed(0)} ms (CPU ${((user + system) / 1_000).toFixed(0)} ms)`;
}
