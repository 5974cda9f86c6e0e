import { planAssignment } from '../../src/arbiter/plan.js';
import type { Situation } from '../../src/arbiter/situation.js';
import type { ClusterView, Move } from '../../src/arbiter/view.js';
import { arbiterPortOf } from '../../src/cli/arbiter-port.js';
import { systemClock } from '../../src/base/clock.js';
import { DEFAULT_GEOMETRY } from '../../src/model/geometry.js';
import { parseAllocId, parseIncarnation, toSectionId } from '../../src/model/ids.js';
import { DEFAULT_LEASE_TERMS } from '../../src/model/lease.js';
import type { Caller, Command } from '../../src/store/command.js';
import { encodeCommand } from '../../src/store/command-codec.js';
import type { StoreNode } from '../../src/store/node.js';
import { Replica } from '../../src/store/replica.js';
import type { StoreState } from '../../src/store/state.js';
import { SeededRandom } from '../unit/seeded-random.js';

const TERM = 1;
const MOTIVE = { reason: 'scale', atMs: 1_750_000_000_000 };

/** The article's set, in memory: 2^32 users in 42,950 sections, served by as many AllocSvrs as asked for. No network, no disk; the real state machine. */
export class ScaledSet {
  readonly replica = new Replica(new Map(), () => undefined);
  readonly callers: readonly Caller[];
  #index = 0;

  constructor(allocCount: number) {
    this.callers = Array.from({ length: allocCount }, (_, at) => ({
      allocId: parseAllocId(`alloc-${String(at).padStart(3, '0')}`),
      incarnation: parseIncarnation(at.toString(16).padStart(32, '0')),
    }));
    this.apply({
      type: 'init',
      clusterId: 'c'.repeat(32),
      generation: 1_750_000_000,
      geometry: DEFAULT_GEOMETRY,
      lease: DEFAULT_LEASE_TERMS,
      raiseBy: 10_000n,
      members: [1, 2, 3].map((id) => ({
        id,
        name: `store-${id}`,
        nodeUuid: String(id).repeat(32),
        peerAddress: `10.0.0.${id}:7072`,
        address: `10.0.0.${id}:7071`,
      })),
    });
    for (const [at, caller] of this.callers.entries())
      this.apply({ type: 'register', ...caller, address: `10.1.${at >> 8}.${at & 255}:7091`, zone: `zone-${at % 3}` });
  }

  get state(): StoreState {
    return this.replica.state;
  }

  /** Applies one command as a replica does; returns the bytes of its entry and of the records that it changed. */
  apply(command: Command): { readonly entryBytes: number; readonly recordBytes: number } {
    const data = encodeCommand(command);
    const result = this.replica.apply({ index: ++this.#index, term: TERM, type: 'normal', data });
    if (result.type === 'refused') throw new Error(`${command.type} was refused: ${result.why}`);
    const recordBytes = this.replica.takeWrites().reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
    return { entryBytes: data.length, recordBytes };
  }

  assign(moves: readonly Move[]): { readonly entryBytes: number; readonly recordBytes: number } {
    return this.apply({ type: 'assign', arbiterTerm: TERM, basedOn: this.state.version, runs: moves.map(runOf), ...MOTIVE });
  }

  view(): ClusterView {
    const node = { state: this.state, isLeading: true, raft: { term: TERM } } as unknown as StoreNode;
    const view = arbiterPortOf(node, systemClock).view();
    if (view === undefined) throw new Error('the set is not initialised');
    return view;
  }

  /** As the arbiter sees it when these AllocSvrs are silent and all others well. */
  situation(silent: readonly Caller[] = []): Situation {
    const view = this.view();
    const gone = new Set(silent.map(({ incarnation }) => incarnation));
    return {
      view,
      living: new Set(view.allocs.map(({ incarnation }) => incarnation).filter((run) => !gone.has(run))),
      expired: gone,
      silent: gone,
      remembered: new Set(),
      loads: new Map(),
      isSettled: true,
      awaitsHeirs: false,
    };
  }

  /** Everybody gets a share, in one run each: as after the bootstrap. */
  dealOut(): void {
    this.assign(planAssignment(this.situation()).moves);
  }

  /** Every section goes to somebody at random: as bad as years of failovers could make it. */
  scatter(seed: number): void {
    const random = new SeededRandom(seed);
    const candidates = this.view().allocs;
    const moves = this.state.sections.map((_, section) => ({ firstSection: toSectionId(section), sectionCount: 1, to: random.pick(candidates) }));
    for (let at = 0; at < moves.length; at += 10_000) this.assign(moves.slice(at, at + 10_000));
  }
}

function runOf({ firstSection, sectionCount, to }: Move) {
  return { firstSection, sectionCount, allocId: to.id, incarnation: to.incarnation };
}
