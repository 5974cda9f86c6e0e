import type { AllocEvent } from '../alloc/events.js';
import type { StoreEvent } from '../store/events.js';

/** What docs/events.md says of one event of the log. */
interface EventDoc<Field> {
  readonly when: string;
  /** Beside time, level, node, component, event and msg, which every line has. */
  readonly fields: readonly Field[];
}

type DocsOf<Event extends { readonly type: string }> = {
  readonly [Type in Event['type']]: EventDoc<Exclude<keyof Extract<Event, { readonly type: Type }>, 'type'>>;
};

/** Every event of a StoreSvr (component `store`): the compiler asks for one that is new. */
export const STORE_EVENT_DOCS: DocsOf<StoreEvent> = {
  roleChanged: { when: 'Its Raft role, its term or the leader that it knows changed.', fields: ['role', 'term', 'leaderId'] },
  leaderReady: { when: 'It leads and has applied an entry of its own term: it may answer reads and plan.', fields: ['term'] },
  confChanged: { when: 'The members of the Raft group changed.', fields: ['index', 'confState'] },
  snapshotInstalled: { when: 'A snapshot took the place of its log and state.', fields: ['index', 'term'] },
  snapshotUnreadable: { when: 'What a peer sent as a snapshot cannot be read; it was not taken.', fields: [`from`, 'index'] },
  written: { when: 'One synced write of the log is on disk.', fields: ['entryCount', 'tookMs'] },
  diskStalled: {
    when: 'The oldest write under way is older than an election timeout; a leader hands leadership over.',
    fields: ['forMs', 'isLeader'],
  },
  lateTick: { when: 'The event loop was late for a tick of Raft.', fields: ['lateMs'] },
  started: { when: 'It serves, with the data that it found.', fields: ['nodeUuid', 'lastIndex', 'appliedIndex'] },
  peerUp: { when: 'A stream to a peer is open.', fields: ['peerId', 'lane'] },
  peerDown: { when: 'A stream to a peer broke, or could not be opened.', fields: ['peerId', 'lane', 'why'] },
  peerSlow: { when: 'The stream to a peer is full: messages are dropped until it reads again.', fields: ['peerId', 'lane'] },
  peerDropped: {
    when: 'Messages to a peer were not sent; told at once, then at most once a minute with how many.',
    fields: ['peerId', 'lane', 'why', 'count'],
  },
  peerRefused: { when: 'A peer, or a stream of it, was not believed; told as above.', fields: ['nodeId', 'reason', 'why', 'count'] },
  badMessage: { when: 'A message of a believed peer broke a rule and was dropped; told as above.', fields: ['peerId', 'why', 'count'] },
  snapshotRefused: { when: 'A snapshot of a peer was not what it should be; told as above.', fields: ['peerId', 'why', 'count'] },
  snapshotSending: { when: 'A member that is far behind gets a snapshot.', fields: ['peerId', 'index', 'totalBytes'] },
  snapshotSent: { when: 'It has that snapshot.', fields: ['peerId', 'index', 'totalBytes', 'attemptCount', 'tookMs'] },
  snapshotFailed: { when: 'It does not, and Raft will try again.', fields: ['peerId', 'index', 'totalBytes', 'attemptCount', 'why'] },
  snapshotReceived: { when: 'A snapshot came whole and as offered, and goes to Raft.', fields: ['peerId', 'index', 'totalBytes'] },
  removedFromCluster: { when: 'A member says that the cluster has removed this node: it stops.', fields: ['by'] },
  settingIgnored: {
    when: 'The config file says something that was fixed at the founding, and otherwise; the founding counts.',
    fields: ['setting', 'committed', 'configured'],
  },
  initialised: { when: 'The cluster was founded.', fields: ['clusterId', 'sectionCount'] },
  allocRegistered: { when: 'A run of an AllocSvr registered; former runs of it are over.', fields: ['allocId', 'incarnation', 'address'] },
  memberKnown: { when: 'The data directory and the address of a member were committed.', fields: ['nodeId', 'nodeUuid', 'peerAddress'] },
  memberAdded: { when: 'A member was added, as a learner.', fields: ['nodeId', 'name', 'nodeUuid'] },
  memberPromoted: { when: 'A learner has a vote now.', fields: ['nodeId'] },
  memberReplacing: { when: 'One joint change: `nodeId` votes and `oldId` leaves.', fields: ['nodeId', 'oldId'] },
  memberRemoved: { when: 'A member was removed; its data directory never counts again.', fields: ['nodeId'] },
  stateDiffers: {
    when: 'Another replica holds another state after the same entry, and it is not clear who is wrong: an alarm.',
    fields: [`from`, 'index'],
  },
  allocDraining: { when: 'An AllocSvr gives its sections away and gets no more.', fields: ['allocId', 'incarnation'] },
  sectionsAssigned: { when: 'Sections got an owner, by decision of the arbiter.', fields: ['sectionCount', 'reason', 'version'] },
  movePlanned: { when: 'Sections are to move; their owner serves on until it hands them over.', fields: ['sectionCount', 'reason', 'version'] },
  sectionsReleased: { when: 'An owner gave sections back.', fields: ['allocId', 'releasedCount', 'refusedCount'] },
  commandRefused: { when: 'An entry of the log was refused by the state machine; nothing changed.', fields: ['command', 'code', 'why'] },
};

/** Every event of an AllocSvr (component `alloc`). `leftOutCount`: repeats that were not told since the last one that was. */
export const ALLOC_EVENT_DOCS: DocsOf<AllocEvent> = {
  registered: { when: 'The StoreSvrs know this run.', fields: ['clusterId', 'incarnation'] },
  registerFailed: { when: 'They could not be reached, or refused; it is tried again.', fields: ['error'] },
  leaseRenewed: { when: 'The lease was renewed.', fields: ['leftMs', 'tookMs'] },
  renewalFailed: { when: 'A renewal failed; `leftMs` are left of the lease.', fields: ['error', 'leftMs', 'leftOutCount'] },
  leaseLost: { when: 'The lease is over: nothing is served until another one comes.', fields: [] },
  leaseRegained: { when: 'It has a lease again.', fields: ['afterMs'] },
  renewalsSpedUp: {
    when: 'The committed lease is too short for the configured pace of renewals: they are sent this often instead.',
    fields: ['leaseMs', 'everyMs'],
  },
  clockJumped: {
    when: 'One clock of this machine moved without the others: nothing is served until a renewal that was sent after it is answered.',
    fields: ['kind', 'ms'],
  },
  eventLoopLagged: {
    when: 'The event loop was blocked for longer than the lease margin, or the process paused: as above.',
    fields: ['ms', 'leftOutCount'],
  },
  watchEnded: { when: 'The stream of new tables ended; it is opened again.', fields: ['error', 'leftOutCount'] },
  tableAdopted: { when: 'A newer routing table is in use.', fields: ['version', 'lostCount', 'ownedCount'] },
  maxSeqRaised: { when: 'A raise of a section was committed.', fields: ['section', 'epoch', 'maxSeq', 'tookMs'] },
  raiseFailed: { when: 'A request for raises failed; it is tried again.', fields: ['sectionCount', 'error', 'leftOutCount'] },
  raiseRefused: { when: 'A raise was refused: the section is not its own any more.', fields: ['section', 'epoch', 'error'] },
  windowEmpty: {
    when: 'A call found the window empty and waits for a raise: in steady state this never happens.',
    fields: ['section', 'epoch', 'leftOutCount'],
  },
  floorAboveCurrent: {
    when: 'A caller has seen a higher number than this owner handed out: a lie, or a second owner somewhere. Look at it at once.',
    fields: ['section', 'epoch', 'floor', 'current', 'leftOutCount'],
  },
  handoffInstalled: {
    when: 'The counters of a section came from its former owner as they were: no uid jumps.',
    fields: ['section', 'epoch', `from`, 'pageCount', 'tookMs'],
  },
  handoffFellBack: {
    when: 'They were not to be had: every uid of the section goes on above the highest number that was handed out in it.',
    fields: ['section', 'epoch', `from`, 'tookMs'],
  },
  handoffBroken: { when: 'A stream of counters from another AllocSvr broke; it is tried again.', fields: ['address', 'error', 'leftOutCount'] },
  countersSaved: { when: 'A clean stop with nobody to take over: the counters are in a file.', fields: ['sectionCount', 'bytes'] },
  countersFound: { when: 'A former run left counters in its file.', fields: ['sectionCount'] },
  countersNotSaved: {
    when: 'Counters are in no file: the uids of these sections go on above the highest number of each.',
    fields: ['sectionCount', 'why'],
  },
  countersRefused: { when: 'That file cannot be believed, and uids will jump; or it could not be removed, which does no harm.', fields: ['why'] },
  ownershipConfirmed: { when: 'One round for STRICT calls was answered.', fields: ['callCount', 'sectionCount', 'tookMs'] },
  confirmationFailed: { when: 'Such a round failed, and the calls that waited for it.', fields: ['callCount', 'error', 'leftOutCount'] },
  sectionsSealed: { when: 'Sections were sealed: nothing of their epochs is handed out any more.', fields: ['sectionCount'] },
  sectionsReleased: { when: 'They were given back, or to their successors.', fields: ['releasedCount', 'refusedCount'] },
  drainFailed: { when: 'The StoreSvrs could not be told that it is about to stop.', fields: ['error'] },
  releaseFailed: { when: 'Sections could not be given back; it is tried again.', fields: ['error', 'leftOutCount'] },
  fatal: { when: 'This run must not go on: the process ends.', fields: ['error'] },
};
