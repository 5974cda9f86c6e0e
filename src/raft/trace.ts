import type { ConfChangeStep } from './conf-change.js';
import type { Message } from './message.js';
import type { NodeId } from './types.js';

/**
 * What a core did, in the words of etcd's TLA+ trace format (raft.md 3.2). Called with the core right after the change,
 * or right before where that format says so. Always called as `options.trace?.({ ... }, core)`: without a listener nothing
 * is even built.
 */
export type TraceEvent =
  | { readonly name: 'InitState' | 'BecomeFollower' | 'BecomeCandidate' | 'BecomeLeader' | 'Replicate' | 'Commit' | 'Ready' }
  | { readonly name: 'ChangeConf'; readonly steps: readonly ConfChangeStep[] }
  | { readonly name: 'ApplyConfChange'; readonly voters: readonly NodeId[] }
  | { readonly name: 'Send' | 'Receive'; readonly message: Message };
