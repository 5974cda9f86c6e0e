import { inspect } from 'node:util';

/** A broken invariant: a bug in this program, never a bad request. Nothing may catch it but main. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Throws InvariantError unless `condition` holds. `why` is a sentence about what must be true. */
export function assert(condition: boolean, why: string): asserts condition {
  if (!condition) throw new InvariantError(why);
}

/** Ends a switch over a union. A variant added later and not handled fails to compile here. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${inspect(value)}`);
}
