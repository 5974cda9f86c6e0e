import { type Bounds, SCOPES, SMALL, WHOLE } from './bounds.js';
import { isMutant, MUTANTS, type Mutant } from './mutants.js';

export interface Wanted {
  /** By name; empty: only mutants. */
  readonly scopes: readonly (readonly [name: string, bounds: Bounds])[];
  readonly mutants: readonly Mutant[];
  /** A mutant is explored in the scope that was asked for, and not in its own. */
  readonly isCustom: boolean;
  /** Of so many states one is asked whether it can get well again. */
  readonly recoverEvery: number;
}

export const USAGE = `npm run model [-- OPTIONS]
  without options: every scope, then every mutant
  --scope NAME     one of ${Object.keys(SCOPES).join(', ')}, or whole
  --mutant NAME    one of ${MUTANTS.join(', ')}
  --KEY NUMBER     a bound of your own, of ${Object.keys(SMALL).join(', ')}; what is not said is smallest (booleans: 0 or 1)
  --recover N      ask one state in N whether it can get well again (20)`;

const RECOVER_EVERY = 20;
/** Names of one scope that is not among the others. */
const OWN = 'yours';

/** Undefined: help was asked for. Throws a RangeError, in words, for what makes no sense. */
export function parseArgs(args: readonly string[]): Wanted | undefined {
  if (args.includes('--help')) return undefined;
  let base: readonly [string, Bounds] | undefined;
  let mutant: Mutant | undefined;
  let recoverEvery = RECOVER_EVERY;
  const own: Record<string, number | boolean> = {};
  for (let at = 0; at < args.length; at += 2) {
    const key = (args[at] ?? '').replace(/^--/, '');
    const value = args[at + 1];
    if (!args[at]?.startsWith('--') || value === undefined)
      throw new RangeError(`an option and its value are wanted, got ${args.slice(at).join(' ')}\n${USAGE}`);
    if (key === 'scope') base = [value, scopeOf(value)];
    else if (key === 'mutant') mutant = mutantOf(value);
    else if (key === 'recover') recoverEvery = wholeOf(key, value, 1);
    else if (Object.hasOwn(SMALL, key))
      own[key] = typeof SMALL[key as keyof Bounds] === 'boolean' ? wholeOf(key, value, 0) === 1 : wholeOf(key, value, 0);
    else throw new RangeError(`there is no option --${key}\n${USAGE}`);
  }
  const isCustom = base !== undefined || Object.keys(own).length > 0;
  const bounds = { ...(base?.[1] ?? SMALL), ...own };
  check(bounds);
  const mine: Wanted['scopes'] = [[base !== undefined && Object.keys(own).length === 0 ? base[0] : OWN, bounds]];
  if (mutant !== undefined) return { scopes: mine, mutants: [mutant], isCustom, recoverEvery };
  return { scopes: isCustom ? mine : Object.entries(SCOPES), mutants: isCustom ? [] : MUTANTS, isCustom, recoverEvery };
}

function check({ allocs, sections, uids, lease, terms, raiseBy }: Bounds): void {
  if (allocs < 1 || allocs > 2 || sections < 1 || sections > 2) throw new RangeError(`allocs and sections are 1 or 2, got ${allocs} and ${sections}`);
  if (uids < 1 || uids > 4) throw new RangeError(`uids are 1 to 4, got ${uids}`);
  for (const [name, value] of Object.entries({ lease, terms, raiseBy })) if (value < 1) throw new RangeError(`${name} is at least 1, got ${value}`);
}

function scopeOf(name: string): Bounds {
  const scopes: Readonly<Record<string, Bounds>> = { ...SCOPES, whole: WHOLE };
  const bounds = Object.hasOwn(scopes, name) ? scopes[name] : undefined;
  if (bounds === undefined) throw new RangeError(`there is no scope ${name}\n${USAGE}`);
  return bounds;
}

function mutantOf(name: string): Mutant {
  if (!isMutant(name)) throw new RangeError(`there is no mutant ${name}\n${USAGE}`);
  return name;
}

function wholeOf(key: string, value: string, min: number): number {
  if (!/^\d{1,6}$/.test(value) || Number(value) < min) throw new RangeError(`--${key} must be a whole number from ${min}, got ${value}`);
  return Number(value);
}
