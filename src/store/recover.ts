import { assert } from '../base/assert.js';
import type { Random } from '../base/random.js';
import { decodeConfChange } from '../raft/conf-change.js';
import { EMPTY_CONF_STATE, type Index } from '../raft/types.js';
import { generationAfter, recoveryBump } from './bump.js';
import { drawJoinerId } from './data-dir.js';
import type { Identity } from './identity-file.js';
import { reidentify } from './level-reidentify.js';
import type { Opened } from './level-storage.js';
import { recoverState } from './recover-state.js';
import { Replica } from './replica.js';

export interface RecoverOptions {
  readonly dataDir: string;
  readonly clusterId: string;
  /** How this node is reached from now on. */
  readonly member: { readonly name: string; readonly peerAddress: string; readonly address: string };
  /** Undefined: the default above. */
  readonly bump: bigint | undefined;
  readonly wallMs: number;
  readonly random: Random;
}

/** What was found and done. */
export interface RecoveryReport {
  readonly clusterId: string;
  readonly oldGeneration: number;
  readonly newGeneration: number;
  readonly bump: bigint;
  readonly sectionsLifted: number;
  /** Entries that this node did not know to be committed: they count from now on. */
  readonly uncommittedEntriesTaken: number;
  readonly lastIndex: Index;
  readonly membersDropped: readonly string[];
  readonly nodeId: number;
  readonly nodeUuid: string;
}

/**
 * Makes a cluster of one from the data directory of a member whose majority is lost for good. Offline, and the last
 * resort: everything in its log counts as committed, and what it did not have is lost. Throws INVALID_ARGUMENT while a
 * process has the directory, DamageError when it is not as written. Cut short it can be run again.
 */
export async function recoverStore(options: RecoverOptions): Promise<RecoveryReport> {
  const { dataDir, clusterId, random } = options;
  const next: Identity = { clusterId, nodeId: drawJoinerId(random), nodeUuid: random.id128() };
  let report: RecoveryReport | undefined;
  const identity = await reidentify(dataDir, next, async (opened, becomes) => {
    report = await recover(opened, becomes, options);
  });
  assert(report !== undefined, 'what was recovered is known');
  return { ...report, nodeId: identity.nodeId, nodeUuid: identity.nodeUuid };
}

async function recover(opened: Opened, identity: Identity, options: RecoverOptions): Promise<RecoveryReport> {
  const { storage, hardState, appliedIndex } = opened;
  const replica = new Replica(opened.state, () => undefined);
  applyAll(replica, opened);
  const { cluster, members } = replica.state;
  const oldGeneration = cluster?.version.generation ?? 0;
  const newGeneration = generationAfter(oldGeneration, options.wallMs);
  const bump = options.bump ?? recoveryBump(cluster?.raiseBy ?? 0n);
  const member = { id: identity.nodeId, nodeUuid: identity.nodeUuid, ...options.member };
  const at = { index: storage.lastIndex + 1, term: hardState.term + 1 };
  const sectionsLifted = replica.amend(at, (state) => recoverState(state, { generation: newGeneration, bump, member }));
  const state = replica.parseSnapshot(replica.snapshot());
  assert(state !== undefined, 'a snapshot made here can be read here');
  const lastIndex = storage.lastIndex;
  await storage.install({
    ...at,
    confState: { ...EMPTY_CONF_STATE, voters: [identity.nodeId] },
    hardState: { term: at.term, votedFor: undefined, commitIndex: at.index },
    state,
  });
  return {
    clusterId: identity.clusterId,
    oldGeneration,
    newGeneration,
    bump,
    sectionsLifted,
    uncommittedEntriesTaken: lastIndex - Math.max(hardState.commitIndex, appliedIndex),
    lastIndex,
    membersDropped: members.filter(({ id }) => id !== identity.nodeId).map(({ name, id }) => `${name} (${id})`),
    nodeId: identity.nodeId,
    nodeUuid: identity.nodeUuid,
  };
}

/** Everything that is in the log: the majority that could say what of it is committed is gone. */
function applyAll(replica: Replica, { storage, appliedIndex }: Opened): void {
  for (let index = appliedIndex + 1; index <= storage.lastIndex; index += 1) {
    const [entry] = storage.entries(index, index, 0);
    assert(entry !== undefined, 'the log has every entry up to its last');
    if (entry.type === 'confChange') {
      const change = decodeConfChange(entry.data);
      assert(change !== undefined, 'a membership change in the log can be read');
      replica.applyConfChange(entry, change);
    } else if (entry.data.length > 0) replica.apply(entry);
  }
}
