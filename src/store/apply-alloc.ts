import type { Command } from './command.js';
import { bumpVersion, noteAudit, refuse, type Result } from './result.js';
import type { StoreState } from './state.js';

/** Former and dead runs that are remembered for each AllocSvr. */
const RUNS_MAX = 8;
/** AllocSvrs that one set knows. */
const ALLOCS_MAX = 10_000;

type CommandOf<Type extends Command['type']> = Extract<Command, { type: Type }>;

/** A new run supersedes the former one: from here on that one's renewals and raises are refused. What it sealed it may still release. */
export function applyRegister(state: StoreState, { allocId, incarnation, address, zone }: CommandOf<'register'>): Result {
  const known = state.alloc(allocId);
  if (known === undefined && state.allocs.length >= ALLOCS_MAX) return refuse('RESOURCE_EXHAUSTED', `a set has at most ${ALLOCS_MAX} AllocSvrs`);
  const isSameRun = known?.incarnation === incarnation;
  // A register that was late on the way must not bring a former run back, nor one that has ended.
  if (known?.former.includes(incarnation) || known?.dead.includes(incarnation) || (isSameRun && known.state === 'gone'))
    return refuse('NOT_OWNER', `superseded: incarnation ${incarnation} of ${allocId} is a former one`);
  if (isSameRun && known.address === address && known.zone === zone) return { type: 'done' };
  const former = known === undefined || isSameRun ? (known?.former ?? []) : [known.incarnation, ...known.former].slice(0, RUNS_MAX);
  // A repeat by the same run changes its address at most; only a new run undoes a drain.
  state.setAlloc({ id: allocId, incarnation, address, zone, former, state: isSameRun ? known.state : 'joined', dead: known?.dead ?? [] });
  bumpVersion(state);
  return { type: 'done' };
}

/** The run keeps what it has until it releases it. Repeating it changes nothing. */
export function applyDrain(state: StoreState, command: CommandOf<'drain'>, entryTerm: number): Result {
  const { allocId, incarnation } = command;
  const alloc = state.alloc(allocId);
  if (alloc === undefined || !state.isCurrent({ allocId, incarnation }))
    return refuse('NOT_OWNER', `superseded: incarnation ${incarnation} is not the newest of ${allocId}`);
  if (alloc.state === 'draining') return { type: 'done' };
  state.setAlloc({ ...alloc, state: 'draining' });
  bumpVersion(state);
  noteAudit(state, { ...command, kind: 'drain', term: entryTerm });
  return { type: 'done' };
}

export function applyResume(state: StoreState, command: CommandOf<'resume'>, entryTerm: number): Result {
  const alloc = state.alloc(command.allocId);
  if (alloc === undefined) return refuse('INVALID_ARGUMENT', `there is no AllocSvr ${command.allocId}`);
  if (alloc.state === 'gone') return refuse('INVALID_ARGUMENT', `AllocSvr ${command.allocId} is gone: it comes back by registering`);
  if (alloc.state === 'joined') return { type: 'done' };
  state.setAlloc({ ...alloc, state: 'joined' });
  bumpVersion(state);
  noteAudit(state, { ...command, kind: 'resume', term: entryTerm });
  return { type: 'done' };
}

/**
 * Its own parent saw this run end, so nothing of it has to be waited for. A run that never registered is noted too: its
 * register may still be on the way.
 */
export function applyReportDeath(state: StoreState, command: CommandOf<'reportDeath'>, entryTerm: number): Result {
  const { allocId, incarnation } = command;
  const alloc = state.alloc(allocId);
  if (alloc === undefined) return refuse('INVALID_ARGUMENT', `there is no AllocSvr ${allocId}`);
  if (alloc.dead.includes(incarnation)) return { type: 'done' };
  const dead = [incarnation, ...alloc.dead].slice(0, RUNS_MAX);
  state.setAlloc({ ...alloc, dead, state: alloc.incarnation === incarnation ? 'gone' : alloc.state });
  bumpVersion(state);
  noteAudit(state, { ...command, kind: 'reportDeath', term: entryTerm });
  return { type: 'done' };
}

/** Takes it out until it registers anew; what it holds waits for its lease. One that holds nothing is forgotten. */
export function applyRemoveAlloc(state: StoreState, command: CommandOf<'removeAlloc'>, entryTerm: number): Result {
  const { allocId } = command;
  const alloc = state.alloc(allocId);
  if (alloc === undefined) return refuse('INVALID_ARGUMENT', `there is no AllocSvr ${allocId}`);
  const isHolding = state.sections.some(({ owner, next }) => owner?.allocId === allocId || next?.allocId === allocId);
  if (alloc.state === 'gone' && !isHolding) state.removeAlloc(allocId);
  else if (alloc.state === 'gone') return { type: 'done' };
  else state.setAlloc({ ...alloc, state: 'gone' });
  bumpVersion(state);
  noteAudit(state, { ...command, kind: 'removeAlloc', term: entryTerm });
  return { type: 'done' };
}
