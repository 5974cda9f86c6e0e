import type { RaftEvent } from '../raft/ports.js';

/** What a StoreSvr tells the world: the log, the metrics and the checkers read the same stream. */
export type StoreEvent =
  | RaftEvent
  | { readonly type: 'started'; readonly nodeUuid: string; readonly lastIndex: number; readonly appliedIndex: number }
  | { readonly type: 'peerUp'; readonly peerId: number; readonly lane: number }
  | { readonly type: 'peerDown'; readonly peerId: number; readonly lane: number; readonly why: string }
  /** Its stream is full: messages are dropped until it reads again. */
  | { readonly type: 'peerSlow'; readonly peerId: number; readonly lane: number }
  | { readonly type: 'peerRefused'; readonly why: string }
  | { readonly type: 'badMessage'; readonly peerId: number; readonly why: string }
  /** The file says something that was fixed at the founding, and otherwise. */
  | { readonly type: 'settingIgnored'; readonly setting: string; readonly committed: string; readonly configured: string }
  | { readonly type: 'initialised'; readonly clusterId: string; readonly sectionCount: number }
  | { readonly type: 'allocRegistered'; readonly allocId: string; readonly incarnation: string; readonly address: string }
  | { readonly type: 'memberKnown'; readonly nodeId: number; readonly nodeUuid: string; readonly peerAddress: string }
  | { readonly type: 'allocDraining'; readonly allocId: string; readonly incarnation: string }
  | { readonly type: 'sectionsAssigned'; readonly sectionCount: number; readonly reason: string; readonly version: string }
  | { readonly type: 'movePlanned'; readonly sectionCount: number; readonly reason: string; readonly version: string }
  | { readonly type: 'sectionsReleased'; readonly allocId: string; readonly releasedCount: number; readonly refusedCount: number }
  | { readonly type: 'commandRefused'; readonly command: string; readonly code: string; readonly why: string };
