import { type AllocId, type Incarnation, toEpoch } from '../../src/model/ids.js';
import { waitMsOf } from '../../src/model/lease.js';
import type { Command } from '../../src/store/command.js';
import type { Alloc, StoreState } from '../../src/store/state.js';
import type { Mutant } from './mutants.js';
import type { Stores, StoreValue } from './store-values.js';

/** A command as a state machine would take it that lacks a guard: with what the guard looks at set to what it wants to see. */
export function spoiltCommand(
  mutant: Mutant | undefined,
  { command, state, entryTerm }: { readonly command: Command; readonly state: StoreState; readonly entryTerm: number },
): Command {
  if (mutant === 'no-term-check' && command.type === 'assign') return { ...command, arbiterTerm: entryTerm };
  if (mutant === 'no-epoch-in-raise' && command.type === 'raise') {
    const [item] = command.raises;
    const section = item && state.sections[item.section];
    return item && section?.owner ? { ...command, ...section.owner, raises: [{ ...item, epoch: section.epoch }] } : command;
  }
  if (mutant === 'no-epoch-in-release' && command.type === 'release') {
    const [item] = command.releases;
    const section = item && state.sections[item.firstSection];
    return item && section?.owner ? { ...command, ...section.owner, releases: [{ ...item, epoch: toEpoch(section.epoch) }] } : command;
  }
  return command;
}

/** What is committed when a rule of the state machine is missing. */
export function spoiltState(
  mutant: Mutant | undefined,
  { command, before, after }: { readonly command: Command; readonly before: StoreValue; readonly after: StoreValue },
): StoreValue {
  if (mutant === 'base-not-lifted' && command.type === 'assign') {
    const sections = after.sections.map((section, index) => {
      const was = before.sections[index];
      return was === undefined || was.epoch === section.epoch ? section : { ...section, base: was.base };
    });
    return { ...after, sections };
  }
  if (mutant === 'lease-lowered-at-once' && command.type === 'setLease') return { ...after, waitMs: waitMsOf(command.lease), isSettling: false };
  return after;
}

/** One more AllocSvr that has joined and is well: so the arbiter always finds somebody to take over, and what it waits for is all that counts. */
export const TAKER: Alloc = {
  id: 'z' as AllocId,
  incarnation: 'f'.repeat(32) as Incarnation,
  address: 'z:1',
  zone: '',
  former: [],
  state: 'joined',
  dead: [],
};

/** What the arbiter looks at. */
export function viewOf(mutant: Mutant | undefined, stores: Stores, store: number): StoreState {
  const value = stores.valueOf(store);
  const waitMs = mutant === 'short-wait' ? value.leaseMs : value.waitMs;
  const isSkipping = mutant === 'no-wait-superseded';
  const allocs = value.allocs.map((alloc) => (isSkipping ? { ...alloc, dead: [...new Set([...alloc.dead, ...alloc.former])] } : alloc));
  const state = stores.make({ ...value, waitMs, allocs });
  state.setAlloc(TAKER);
  return state;
}
