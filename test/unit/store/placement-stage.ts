import { SeqError } from '../../../src/base/errors.js';
import type { AllocId } from '../../../src/model/ids.js';
import type { Applied } from '../../../src/raft/driver.js';
import type { Command } from '../../../src/store/command.js';
import type { StoreNode } from '../../../src/store/node.js';
import type { PlacementPort, PlannedMove, WishOptions } from '../../../src/store/placement-port.js';
import type { StoreState } from '../../../src/store/state.js';
import type { Result } from '../../../src/store/state-machine.js';
import { run, TestReplica } from './fixture.js';

export const [A, B] = [run('a1'), run('b2')];
const NOT_LEADER = new SeqError('NOT_LEADER', 's1 does not lead, s2 does', { redirect: { id: 's2', address: 's2:7100' } });

/** A leader without Raft: what is proposed is applied at once. */
export class StubNode implements Pick<StoreNode, 'state' | 'requireLeading' | 'confirmLeadership' | 'propose'> {
  readonly store = TestReplica.with(A, B);
  readonly raft = { term: 1 };
  isLeading = true;
  /** Another one leads, and this one has not heard of it. */
  isDeposed = false;
  /** What happens right after an entry was applied. */
  afterProposal: (command: Command) => void = () => undefined;

  get state(): StoreState {
    return this.store.state;
  }

  requireLeading(): void {
    if (!this.isLeading) throw NOT_LEADER;
  }

  async confirmLeadership(): Promise<void> {
    if (!this.isLeading || this.isDeposed) throw NOT_LEADER;
  }

  async propose(command: Command): Promise<Applied<Result>> {
    const result = this.store.run(command);
    this.afterProposal(command);
    return { index: 1, term: 1, result };
  }
}

/** An arbiter that plans what a test says, and carries it out itself. */
export class StubPlacement implements PlacementPort {
  heldBy: string | undefined;
  moves: readonly PlannedMove[] = [];
  refusal: SeqError | undefined;
  readonly asked: unknown[] = [];

  plan(): readonly PlannedMove[] {
    return this.moves;
  }

  async move(
    sections: { readonly firstSection: number; readonly sectionCount: number },
    to: AllocId,
    options: WishOptions,
  ): Promise<readonly PlannedMove[]> {
    this.asked.push([sections, to, options]);
    if (this.refusal !== undefined) throw this.refusal;
    return this.moves;
  }

  async rebalance(options: WishOptions): Promise<readonly PlannedMove[]> {
    this.asked.push(options);
    return this.moves;
  }

  waitLeftMs(): number {
    return 1234.4;
  }

  callsPerSecond(): number {
    return 7;
  }
}
