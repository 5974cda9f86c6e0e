/**
 * What is on disk is not what was written there. Never guessed at and never repaired in silence: the node stops and
 * counts for nothing until it is removed and added again with an empty data directory (DESIGN 3.6).
 */
export class DamageError extends Error {
  override readonly name = 'DamageError';
}

/** A snapshot file is not what was written: cut short, or a bit of it is another. Nothing of it is to be believed. */
export class SnapshotDamageError extends Error {
  override readonly name = 'SnapshotDamageError';
}
