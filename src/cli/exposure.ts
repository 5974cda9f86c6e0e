import { isLoopback } from '../model/address.js';
import { invalid } from './config-fields.js';

/** One address that a node listens on. */
export interface Listener {
  /** The key of the config file that names it. */
  readonly key: string;
  /** Undefined: it does not listen there. */
  readonly address: string | undefined;
  /** The blocks that protect it, any of them. */
  readonly by: readonly string[];
  readonly isProtected: boolean;
}

/**
 * Throws INVALID_ARGUMENT unless every listener off loopback is protected, or the file says by name that it need not be:
 * whoever reaches a plain port can take numbers, and whoever reaches a plain store port can take part in the cluster.
 */
export function checkExposure(listeners: readonly Listener[], isInsecure: boolean): void {
  if (isInsecure) return;
  for (const { key, address, by, isProtected } of listeners) {
    if (address === undefined || isProtected || isLoopback(address)) continue;
    const how = by.length === 0 ? '' : `${by.join(' or ')}, or `;
    throw invalid(`${key}: others can reach ${address} and nothing protects it: it needs ${how}insecure: true, or an address on loopback`);
  }
}
