/**
 * A version of the routing table, or of anything else that a restore must outdo: compared as (generation, value), so
 * that clients of an old cluster accept the restored one and never the reverse (DESIGN 3.1).
 */
export interface Version {
  /** Unix seconds of the bootstrap, restore or forced recovery that began this history. 0: none. */
  readonly generation: number;
  /** Grows by 1 with each committed change of the table within the generation. 0: none yet. */
  readonly value: number;
}

/** Older than every table. */
export const NO_VERSION: Version = { generation: 0, value: 0 };

export function isNewer(one: Version, other: Version): boolean {
  return one.generation > other.generation || (one.generation === other.generation && one.value > other.value);
}

export function isSame(one: Version, other: Version): boolean {
  return one.generation === other.generation && one.value === other.value;
}

export function showVersion({ generation, value }: Version): string {
  return `${generation}.${value}`;
}
