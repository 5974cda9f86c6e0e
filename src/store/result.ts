import { assert } from '../base/assert.js';
import type { ErrorCode } from '../base/errors.js';
import type { Seq } from '../model/ids.js';
import type { Version } from '../model/version.js';
import type { Motive } from './command.js';
import type { StoreState } from './state.js';

/** What one section's raise became. */
export type RaiseOutcome = { readonly type: 'raised'; readonly maxSeq: Seq } | Refusal;

/** The entry changed nothing. */
export interface Refusal {
  readonly type: 'refused';
  readonly code: ErrorCode;
  readonly why: string;
}

/** What an applied command came to. */
export type Result =
  | { readonly type: 'done' }
  | { readonly type: 'raises'; readonly outcomes: readonly RaiseOutcome[] }
  | { readonly type: 'decided'; readonly version: Version; readonly sectionCount: number }
  | { readonly type: 'released'; readonly releasedCount: number; readonly refusedCount: number }
  | Refusal;

/** Longer reasons are cut: the audit trail is kept in memory by every replica. */
const REASON_MAX = 300;

export function refuse(code: ErrorCode, why: string): Refusal {
  return { type: 'refused', code, why };
}

/** Whatever clients see has changed. */
export function bumpVersion(state: StoreState): void {
  const { cluster } = state;
  assert(cluster !== undefined, 'the version begins with the cluster');
  state.setCluster({ ...cluster, version: { generation: cluster.version.generation, value: cluster.version.value + 1 } });
}

/** Puts a decision into the audit trail; call it after everything else that the entry changes. */
export function noteAudit(
  state: StoreState,
  { kind, reason, atMs, term, sectionCount = 0 }: Motive & { readonly kind: string; readonly term: number; readonly sectionCount?: number },
): void {
  const { cluster } = state;
  assert(cluster !== undefined, 'decisions begin with the cluster');
  const number = cluster.auditCount + 1;
  state.setAudit({ number, atMs, term, kind, reason: reason.slice(0, REASON_MAX), sectionCount, version: cluster.version });
  state.setCluster({ ...cluster, auditCount: number });
}
