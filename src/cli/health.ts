import { EXIT } from './exit.js';

/**
 * What is said of a node or of a cluster. Four words, for "not healthy" would mix up what serves with a fault, what does
 * not serve, and what nobody can say.
 */
export type Health = 'healthy' | 'degraded' | 'unavailable' | 'unknown';

/** What the shell learns: what serves with a fault is a warning, what does not serve or cannot be asked is as good as not there. */
export function exitOfHealth(health: Health): number {
  if (health === 'healthy') return EXIT.ok;
  return health === 'degraded' ? EXIT.unhealthy : EXIT.unreachable;
}

/** One word for several: something that serves makes the whole degraded at worst. Pure. */
export function healthOfAll(all: readonly Health[]): Health {
  const [first] = all;
  if (first === undefined) return 'unknown';
  if (all.every((health) => health === first)) return first;
  return all.some((health) => health === 'healthy' || health === 'degraded') ? 'degraded' : 'unknown';
}
