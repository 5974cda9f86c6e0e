import type { Operation, Outcome } from '../../../src/verify/operation.js';
import type { SeededRandom } from '../seeded-random.js';

/** `at`: invoked and returned. */
export type At = readonly [number, number];

/** Anything goes: small times and numbers, so that they collide. */
export function randomHistory(random: SeededRandom): Operation[] {
  return Array.from({ length: 1 + random.below(6) }, () => {
    const from = random.below(12);
    const at: At = [from, from + 1 + random.below(6)];
    const count = random.chance(0.7) ? 1 : 2 + random.below(2);
    const first = BigInt(1 + random.below(7));
    const draw = random.below(12);
    if (draw < 5) return next(at, first, count);
    if (draw < 7) return unknown(at, count);
    if (draw < 8) return exact(at, first - 1n);
    if (draw < 9) return current(at, first - 1n);
    if (draw < 10) return refused(at);
    return draw < 11 ? advance(at, first, random.chance(0.7) ? first : first + 1n) : unknownAdvance(at, first);
  });
}

/** A true service, played at random points within each call; in half of the histories one answer is then changed a little. */
export function playedHistory(random: SeededRandom): Operation[] {
  let last = 0n;
  let handedOut = 0n;
  const history = Array.from({ length: 2 + random.below(5) }, (_, point) => {
    const at: At = [point * 4 - random.below(10), point * 4 + 1 + random.below(10)];
    const draw = random.below(12);
    if (draw >= 10) {
      const to = last + BigInt(random.below(3));
      if (to > last) last = handedOut = to;
      const asked = to === 0n ? 1n : to;
      if (asked > last) last = handedOut = asked;
      return draw === 10 ? advance(at, asked, last) : unknownAdvance(at, asked);
    }
    if (draw >= 7) {
      if (draw === 7) last += BigInt(random.below(3));
      return last === handedOut && draw === 9 ? exact(at, last) : current(at, last);
    }
    const count = random.chance(0.7) ? 1 : 2 + random.below(2);
    const first = last + BigInt(1 + random.below(2));
    last = handedOut = first + BigInt(count) - 1n;
    return draw < 2 ? unknown(at, count) : next(at, first, count);
  });
  if (random.chance(0.5)) {
    const at = random.below(history.length);
    const victim = history[at]!;
    history[at] = { ...victim, outcome: moved(victim.outcome, random.pick([-2n, -1n, 1n, 2n])) };
  }
  return history;
}

function moved(outcome: Outcome, by: bigint): Outcome {
  if (outcome.type === 'numbers' && outcome.first + by >= 1n) return { ...outcome, first: outcome.first + by, last: outcome.last + by };
  if (outcome.type === 'value' && outcome.seq + by >= 0n) return { ...outcome, seq: outcome.seq + by };
  return outcome;
}

export function next(at: At, first: bigint, count = 1): Operation {
  return operation(at, 'next', count, { type: 'numbers', first, last: first + BigInt(count) - 1n });
}

export function unknown(at: At, count = 1): Operation {
  return operation(at, 'next', count, { type: 'unknown', error: 'TIMEOUT' });
}

/** Lifted to `to`, or stood at `seq` above it. */
export function advance(at: At, to: bigint, seq: bigint): Operation {
  return { ...operation(at, 'advance', 0, { type: 'value', seq, exact: false }), to };
}

export function unknownAdvance(at: At, to: bigint): Operation {
  return { ...operation(at, 'advance', 0, { type: 'unknown', error: 'TIMEOUT' }), to };
}

export function refused(at: At): Operation {
  return operation(at, 'next', 1, { type: 'refused', error: 'NOT_OWNER' });
}

export function current(at: At, seq: bigint): Operation {
  return operation(at, 'current', 0, { type: 'value', seq, exact: false });
}

export function exact(at: At, seq: bigint): Operation {
  return operation(at, 'current', 0, { type: 'value', seq, exact: true });
}

function operation([invokedNs, returnedNs]: At, call: Operation['call'], count: number, outcome: Outcome): Operation {
  return { id: 0, client: 'c', call, uid: 1n, count, invokedNs, returnedNs, outcome };
}
