/** A rule taken out of the protocol, by the name that `--mutant` knows it by, and what goes wrong without it. */
export const MUTANTS = {
  'lease-from-reply': 'the lease counts from when the reply came, not from the send',
  'lease-by-timer': 'a flag that a timer clears says whether the lease holds',
  'lease-before-table': 'a renewal extends the lease although its table was not taken in',
  'short-wait': 'the arbiter waits one lease, without the drift arithmetic',
  'no-wait-new-leader': 'a new leader takes whoever it has not heard for lost',
  'no-quorum-renewal': 'a deposed leader answers renewals without a quorum round',
  'no-noop': 'a new leader answers renewals before it applied what former terms left in its log',
  'no-disowning': 'renewals are answered while their sections are being given away',
  'no-term-check': 'a decision of a former term counts',
  'no-wait-superseded': 'a run that a newer one superseded is not waited out',
  'no-epoch-in-raise': 'a raise counts whatever its owner and epoch',
  'raise-before-commit': 'numbers leave before the raise that covers them is committed',
  'base-not-lifted': 'a takeover begins at the base of the former epoch instead of at its maxSeq',
  'former-memory': 'counters of a former epoch go on when the section comes back (A -> B -> A)',
  'open-twice': 'an epoch is opened again, from its base',
  'seal-opens-again': 'a sealed epoch serves again while its release is not answered',
  'no-epoch-in-release': 'a release counts whatever its epoch',
  'no-digest': 'whatever was copied is installed',
  'install-late': 'counters are installed although the epoch serves already, also after it fell back',
  'lease-lowered-at-once': 'a lowered lease shortens the wait at once',
} as const;

export type Mutant = keyof typeof MUTANTS;

export function isMutant(name: string): name is Mutant {
  return Object.hasOwn(MUTANTS, name);
}
