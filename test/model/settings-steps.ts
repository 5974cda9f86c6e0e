import { WaitSettler } from '../../src/arbiter/wait-settler.js';
import type { ClusterView } from '../../src/arbiter/view.js';
import { leaseTermsOf, TICK_MS } from './bounds.js';
import type { State } from './layout.js';
import { isUnready } from './renewal-steps.js';
import type { Emit, World } from './world.js';

/** An operator changes the lease; and once a lowered one was waited for, the committed wait follows it. */
export function settingsSteps(world: World, state: State, emit: Emit): void {
  if (isUnready(world, state)) return;
  changeLease(world, state, emit);
  settle(world, state, emit);
}

/** To half of it, or to all of it again. */
function changeLease(world: World, state: State, emit: Emit): void {
  const { at, bounds, stores } = world;
  if (state.get(at.leaseChangesLeft) === 0) return;
  const whole = leaseTermsOf(bounds);
  const half = Math.max(1, Math.floor(bounds.lease / 2)) * TICK_MS;
  const leaseMs = stores.valueOf(state.get(at.store)).leaseMs === half ? whole.leaseMs : half;
  const next = state.copy();
  next.set(at.leaseChangesLeft, state.get(at.leaseChangesLeft) - 1);
  world.commit(next, { type: 'setLease', lease: { ...whole, leaseMs }, reason: '', atMs: 0 });
  next.set(at.settleAge, stores.valueOf(next.get(at.store)).isSettling ? 1 : 0);
  emit(next, `an operator sets the lease to ${leaseMs / TICK_MS} ticks`);
}

/** The REAL settler says whether this leader has waited long enough since it first saw this very lease. */
function settle(world: World, state: State, emit: Emit): void {
  const { at, stores } = world;
  const store = state.get(at.store);
  const { isSettling, waitMs } = stores.valueOf(store);
  if (!isSettling) return;
  const { cluster } = stores.stateOf(store);
  if (cluster === undefined) return;
  const settler = new WaitSettler();
  const view = { lease: cluster.lease, leaseNumber: cluster.leaseNumber, waitMs } as ClusterView;
  settler.leftMs(view, instantOf(0));
  if (settler.leftMs(view, instantOf((state.get(at.settleAge) - 1) * TICK_MS)) !== 0) return;
  const next = state.copy();
  world.commit(next, { type: 'settleWait', arbiterTerm: state.get(at.term), leaseNumber: cluster.leaseNumber });
  next.set(at.settleAge, 0);
  emit(next, 'the committed wait follows the lowered lease');
}

function instantOf(ms: number): { readonly monoMs: number; readonly wallMs: number; readonly uptimeMs: number } {
  return { monoMs: ms, wallMs: ms, uptimeMs: ms };
}
