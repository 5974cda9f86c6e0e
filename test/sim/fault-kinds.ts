/** What can go wrong in a run. Each is carried out by faults.ts, and is a word of the schedule that a failure prints. */
export const FAULTS = [
  'storeKill',
  'storePowerLoss',
  'allPowerLoss',
  'storePause',
  'storeSuspend',
  'allocKill',
  'allocKillReported',
  'allocPause',
  'allocSuspend',
  'allocDrain',
  'partition',
  'oneWay',
  'clog',
  'lateReplies',
  'wallJump',
  'slowDisk',
  'hungDisk',
  'diskError',
  'diskFull',
  'damage',
  'wipe',
  'oldCopy',
  'lyingDisk',
  'transfer',
  'grow',
  'shrink',
  'upgrade',
  'rebalance',
  'pauseArbiter',
  'clientPause',
] as const;

export type FaultKind = (typeof FAULTS)[number];

/** One fault of a schedule: its own dice, so that taking others away changes nothing about it. */
export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly dice: number;
}
