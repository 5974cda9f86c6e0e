import type { RaftEvent } from '../raft/ports.js';
import type { DropReason, RefusalReason } from './peer-notices.js';

/** What a StoreSvr tells the world: the log, the metrics and the checkers read the same stream. */
export type StoreEvent =
  | RaftEvent
  | { readonly type: 'started'; readonly nodeUuid: string; readonly lastIndex: number; readonly appliedIndex: number }
  | { readonly type: 'peerUp'; readonly peerId: number; readonly lane: number }
  | { readonly type: 'peerDown'; readonly peerId: number; readonly lane: number; readonly why: string }
  /** Its stream is full: messages are dropped until it reads again. */
  | { readonly type: 'peerSlow'; readonly peerId: number; readonly lane: number }
  // `count`: how often it happened since it was told last; at first once, then at most once a minute.
  | { readonly type: 'peerDropped'; readonly peerId: number; readonly lane: number; readonly why: DropReason; readonly count: number }
  /** `nodeId`: who it says it is; 0 when it did not say. */
  | { readonly type: 'peerRefused'; readonly nodeId: number; readonly reason: RefusalReason; readonly why: string; readonly count: number }
  | { readonly type: 'badMessage'; readonly peerId: number; readonly why: string; readonly count: number }
  | { readonly type: 'snapshotRefused'; readonly peerId: number; readonly why: string; readonly count: number }
  | { readonly type: 'snapshotSending'; readonly peerId: number; readonly index: number; readonly totalBytes: number }
  | {
      readonly type: 'snapshotSent';
      readonly peerId: number;
      readonly index: number;
      readonly totalBytes: number;
      readonly attemptCount: number;
      readonly tookMs: number;
    }
  | {
      readonly type: 'snapshotFailed';
      readonly peerId: number;
      readonly index: number;
      readonly totalBytes: number;
      readonly attemptCount: number;
      readonly why: string;
    }
  /** It came whole and as offered, and goes to Raft. */
  | { readonly type: 'snapshotReceived'; readonly peerId: number; readonly index: number; readonly totalBytes: number }
  /** A member says that the cluster has removed this node. */
  | { readonly type: 'removedFromCluster'; readonly by: number }
  /** The file says something that was fixed at the founding, and otherwise. */
  | { readonly type: 'settingIgnored'; readonly setting: string; readonly committed: string; readonly configured: string }
  | { readonly type: 'initialised'; readonly clusterId: string; readonly sectionCount: number }
  | { readonly type: 'allocRegistered'; readonly allocId: string; readonly incarnation: string; readonly address: string }
  | { readonly type: 'memberKnown'; readonly nodeId: number; readonly nodeUuid: string; readonly peerAddress: string }
  | { readonly type: 'memberAdded'; readonly nodeId: number; readonly name: string; readonly nodeUuid: string }
  | { readonly type: 'memberPromoted'; readonly nodeId: number }
  /** One joint change: `nodeId` votes and `oldId` leaves. */
  | { readonly type: 'memberReplacing'; readonly nodeId: number; readonly oldId: number }
  | { readonly type: 'memberRemoved'; readonly nodeId: number }
  /** Another replica holds another state after the same entry, and it is not clear who is wrong: an alarm. */
  | { readonly type: 'stateDiffers'; readonly from: number; readonly index: number }
  | { readonly type: 'allocDraining'; readonly allocId: string; readonly incarnation: string }
  | { readonly type: 'sectionsAssigned'; readonly sectionCount: number; readonly reason: string; readonly version: string }
  | { readonly type: 'movePlanned'; readonly sectionCount: number; readonly reason: string; readonly version: string }
  | { readonly type: 'sectionsReleased'; readonly allocId: string; readonly releasedCount: number; readonly refusedCount: number }
  | { readonly type: 'commandRefused'; readonly command: string; readonly code: string; readonly why: string };
