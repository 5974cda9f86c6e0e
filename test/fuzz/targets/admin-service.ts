import { type ConfChange, encodeConfChange } from '../../../src/raft/conf-change.js';
import type { Progress } from '../../../src/raft/progress.js';
import type { RaftCore } from '../../../src/raft/core.js';
import { changed, type Tracked, trackedFrom } from '../../../src/raft/conf-changer.js';
import { EMPTY_CONF_STATE } from '../../../src/raft/types.js';
import { type AdministeredNode, storeAdminService } from '../../../src/store/admin-service.js';
import { GroupAdmin, type GroupPort } from '../../../src/store/membership-admin.js';
import type { Result } from '../../../src/store/state-machine.js';
import { type Method, randomCall } from '../calls.js';
import { packFrames } from '../frames.js';
import type { StageNode } from '../stage-node.js';
import { mustHold, type Target } from '../target.js';
import { STORE_WORDS } from '../words.js';
import { feedCalls } from './service-calls.js';

const NAMES = ['getStatus', 'listMembers', 'addMember', 'promoteMember', 'removeMember', 'updateMember', 'transferLeader', 'rejoin'];
const METHODS: readonly Method[] = NAMES.map((method) => ({ service: 'AdminService', method }));
const LIMITS = { lastIndex: 1, limits: { messages: 1, bytes: 0 } };

export const adminServiceTarget: Target = {
  name: 'admin-service',
  about: 'requests of operators about members (store/admin-service.ts, store/membership-admin.ts)',
  shape: { parts: 'frames', payload: 'proto' },
  generate: (random) => packFrames(Array.from({ length: 1 + random.below(8) }, () => randomCall(METHODS, random, STORE_WORDS))),
  feed: (input) =>
    feedCalls(input, METHODS, ({ node, clock, handlers }) => {
      const group = new Group(node);
      const onFatal = (error: unknown): never => {
        throw error;
      };
      const members = new GroupAdmin(group, onFatal);
      const own = {
        identity: node.identity,
        stateHash: node.stateHash,
        isRemoved: false,
        raft: group.raft,
        members,
        transferLeader: (name: string | undefined) => Promise.resolve({ name: name ?? 's2' }),
        confirmLeadership: () => Promise.resolve(),
      };
      // The state is another object after each restore, so it is asked for each time.
      const administered: AdministeredNode = Object.defineProperty(own as unknown as AdministeredNode, 'state', { get: () => node.state });
      return [
        storeAdminService({
          node: administered,
          authority: { heardMsAgo: () => 1.5 },
          handlers,
          clock,
          name: 's1',
          advertise: 'h1:1',
          peerAdvertise: 'p1:1',
          build: { version: '1.0.0', pid: 1 },
          onFatal,
        }),
      ];
    }),
};

/** Three voters of which node 1 leads, and whoever is added to them; a change is applied at once, as Raft would. */
class Group implements GroupPort {
  readonly #node: StageNode;
  #tracked: Tracked = trackedFrom({ ...EMPTY_CONF_STATE, voters: [1, 2, 3] }, LIMITS);
  readonly isLeading = true;

  constructor(node: StageNode) {
    this.#node = node;
    this.#hearAll();
  }

  get state() {
    return this.#node.state;
  }

  get raft(): RaftCore {
    const log = { firstIndex: 1, lastIndex: 1, commitIndex: 1, appliedIndex: 1 };
    const of = (): Tracked => this.#tracked;
    const core = {
      id: 1,
      role: 'leader',
      term: 1,
      leaderId: 1,
      log,
      get confState() {
        return of().conf;
      },
      get progress() {
        return of().progress;
      },
    };
    return core as unknown as RaftCore;
  }

  requireLeading(): void {
    // It always does.
  }

  propose(command: Parameters<GroupPort['propose']>[0]) {
    return this.#node.propose(command);
  }

  changeMembers(change: ConfChange): Promise<{ readonly result: Result }> {
    const next = changed(this.#tracked, change, LIMITS);
    if ('refused' in next) return Promise.resolve({ result: { type: 'refused', code: 'INVALID_ARGUMENT', why: next.refused } });
    const result = this.#node.watch.run({ index: 1, term: 1, type: 'confChange', data: encodeConfChange(change), confChange: change });
    mustHold(result.type !== 'refused', 'what the leader tried first is not refused when it is applied');
    this.#tracked = next;
    this.#hearAll();
    return Promise.resolve({ result });
  }

  #hearAll(): void {
    for (const progress of this.#tracked.progress.values()) hear(progress);
  }
}

function hear(progress: Progress): void {
  progress.isActive = true;
  progress.match = 1;
}
