import { ALLOC_MUTANTS } from './alloc-mutants.js';
import { CLIENT_MUTANTS } from './client-mutants.js';
import { FRAME_MUTANTS } from './frame-mutants.js';
import { GATEWAY_MUTANTS } from './gateway-mutants.js';
import { GROUP_MUTANTS } from './group-mutants.js';
import { HANDOFF_MUTANTS } from './handoff-mutants.js';
import { LEASE_MUTANTS } from './lease-mutants.js';
import type { Mutant } from './mutant.js';
import { RAFT_MUTANTS } from './raft-mutants.js';
import { STORE_MUTANTS } from './store-mutants.js';

/** Every seeded bug, in the order in which they are tried. Names are unique. */
export const MUTANTS: readonly Mutant[] = [
  ...RAFT_MUTANTS,
  ...GROUP_MUTANTS,
  ...STORE_MUTANTS,
  ...ALLOC_MUTANTS,
  ...FRAME_MUTANTS,
  ...HANDOFF_MUTANTS,
  ...LEASE_MUTANTS,
  ...CLIENT_MUTANTS,
  ...GATEWAY_MUTANTS,
];
