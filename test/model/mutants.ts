import { type Bounds, SMALL } from './bounds.js';

interface Removed {
  /** What goes on without the rule. */
  readonly without: string;
  /** Where that shows soonest: what differs from the smallest bounds. */
  readonly where: Partial<Bounds>;
}

/** Rules taken out of the protocol, one at a time, by the name that `--mutant` knows each by. */
const REMOVED = {
  'lease-from-reply': { without: 'the lease counts from when the reply came, not from the send', where: { isFine: true } },
  'lease-by-timer': { without: 'a flag that a timer clears says whether the lease holds', where: {} },
  'lease-before-table': { without: 'a renewal extends the lease although its table was not taken in', where: {} },
  'short-wait': { without: 'the arbiter waits one lease, without the drift arithmetic', where: {} },
  'no-wait-new-leader': { without: 'a new leader takes whoever it has not heard for lost', where: { terms: 2 } },
  'no-quorum-renewal': { without: 'a deposed leader answers renewals without a quorum round', where: { terms: 2 } },
  'no-noop': { without: 'a new leader answers renewals before it applied what former terms left in its log', where: { terms: 2 } },
  'no-disowning': { without: 'renewals are answered while their sections are being given away', where: {} },
  'no-term-check': { without: 'a decision of a former term counts', where: { terms: 2 } },
  'no-wait-superseded': { without: 'a run that a newer one superseded is not waited out', where: { spawns: 1 } },
  'no-epoch-in-raise': { without: 'a raise counts whatever its owner and epoch', where: { seqMax: 3 } },
  'raise-before-commit': { without: 'numbers leave before the raise that covers them is committed', where: { seqMax: 3 } },
  'base-not-lifted': { without: 'a takeover begins at the base of the former epoch instead of at its maxSeq', where: {} },
  'former-memory': { without: 'counters of a former epoch go on when the section comes back (A -> B -> A)', where: {} },
  'open-twice': { without: 'an epoch is opened again, from its base', where: { spawns: 1 } },
  'seal-opens-again': { without: 'a sealed epoch serves again while its release is not answered', where: { moves: 1, raiseBy: 2 } },
  'no-epoch-in-release': { without: 'a release counts whatever its epoch', where: { moves: 2, repeats: true } },
  'no-digest': { without: 'whatever was copied is installed', where: { moves: 1, raiseBy: 2 } },
  'install-late': { without: 'counters are installed although the epoch serves already, also after it fell back', where: { moves: 1, raiseBy: 2 } },
  'lease-lowered-at-once': { without: 'a lowered lease shortens the wait at once', where: { leaseChanges: 1, lease: 2 } },
} satisfies Readonly<Record<string, Removed>>;

export type Mutant = keyof typeof REMOVED;

export const MUTANTS = Object.keys(REMOVED) as readonly Mutant[];

export function isMutant(name: string): name is Mutant {
  return Object.hasOwn(REMOVED, name);
}

export function withoutOf(mutant: Mutant): string {
  return REMOVED[mutant].without;
}

export function boundsOf(mutant: Mutant): Bounds {
  return { ...SMALL, ...REMOVED[mutant].where };
}
