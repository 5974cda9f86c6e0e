import type { Applied } from '../../src/raft/driver.js';
import type { Command } from '../../src/store/command.js';
import { encodeCommand } from '../../src/store/command-codec.js';
import type { StoreState } from '../../src/store/state.js';
import type { Result } from '../../src/store/state-machine.js';
import { INIT, section } from '../unit/store/fixture.js';
import { A, B } from '../unit/store/placement-stage.js';
import { ReplicaWatch } from './watch-replica.js';

/** A leading StoreNode without Raft: what is proposed is applied at once, by two replicas that must agree. */
export class StageNode {
  readonly watch = new ReplicaWatch();
  readonly raft = { role: 'leader', term: 1, leaderId: 1, log: { firstIndex: 1, lastIndex: 1, commitIndex: 1, appliedIndex: 1 } };
  readonly identity = { clusterId: INIT.clusterId, nodeId: 1, nodeUuid: '1'.repeat(32) };
  readonly isRemoved = false;
  proposedCount = 0;
  afterProposal: () => void = () => undefined;

  constructor() {
    const members = [1, 2, 3].map((id) => ({ id, name: `s${id}`, nodeUuid: String(id).repeat(32), peerAddress: `p${id}:1`, address: `h${id}:1` }));
    this.#run({ ...INIT, members });
    for (const caller of [A, B]) this.#run({ type: 'register', ...caller, address: `${caller.allocId}:7000`, zone: '' });
    const runs = [
      { ...A, firstSection: section(0), sectionCount: 35 },
      { ...B, firstSection: section(35), sectionCount: 30 },
    ];
    this.#run({ type: 'assign', arbiterTerm: 1, basedOn: this.state.version, runs, reason: 'stage', atMs: 0 });
    this.proposedCount = 0;
  }

  get state(): StoreState {
    return this.watch.state;
  }

  get stateHash(): string {
    return this.watch.hash;
  }

  requireLeading(): void {
    // It always does: who does not is tested elsewhere.
  }

  confirmLeadership(): Promise<void> {
    return Promise.resolve();
  }

  propose(command: Command): Promise<Applied<Result>> {
    const result = this.#run(command);
    this.afterProposal();
    return Promise.resolve({ index: this.proposedCount, term: 1, result });
  }

  #run(command: Command): Result {
    this.proposedCount += 1;
    return this.watch.run({ index: this.proposedCount, term: 1, type: 'normal', data: encodeCommand(command) });
  }
}
