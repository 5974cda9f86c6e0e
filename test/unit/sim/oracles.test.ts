import { expect } from 'chai';
import type { AllocHost } from '../../sim/alloc-host.js';
import { Oracles, type ViolationKind } from '../../sim/oracles.js';
import type { StoreHost } from '../../sim/store-host.js';

/** What the checks read of a StoreSvr; entry i of `terms` is the term of entry i + 1. */
interface StoreView {
  readonly name: string;
  readonly terms: readonly number[];
  readonly commitIndex: number;
  readonly role?: 'leader' | 'follower';
  readonly term?: number;
  readonly stateHash?: string;
  readonly version?: number;
  readonly sections?: readonly { readonly epoch: number; readonly base: bigint; readonly maxSeq: bigint; readonly owner?: object }[];
}

const PROCESS = { isAlive: true };
const SECTION = { epoch: 1, base: 0n, maxSeq: 10n, owner: {} };

function storeHost(view: StoreView): StoreHost {
  const { name, terms, commitIndex, role = 'follower', term = terms.at(-1) ?? 0, stateHash = `state ${commitIndex}`, version = commitIndex } = view;
  const log = { firstIndex: 1, lastIndex: terms.length, commitIndex, appliedIndex: commitIndex, termAt: (index: number) => terms[index - 1] };
  const raft = { id: Number(name.slice(1)), term, role, leaderId: undefined, votedFor: undefined, log };
  const state = { version: { generation: 1, value: version }, sections: view.sections ?? [SECTION] };
  return { name, process: PROCESS, node: { raft, state, stateHash } } as unknown as StoreHost;
}

interface AllocView {
  readonly name: string;
  readonly leftMs: number;
  readonly epoch?: number;
  readonly maxSeq?: bigint;
  readonly trueMax?: bigint;
  readonly isOpen?: boolean;
}

function allocHost({ name, leftMs, epoch = 1, maxSeq = 10n, trueMax = 5n, isOpen = true }: AllocView): AllocHost {
  const node = { leaseLeftMsAt: () => leftMs, opened: [{ section: 0, epoch, maxSeq, trueMax, isOpen }] };
  return { name, machine: { now: () => ({}) }, node } as unknown as AllocHost;
}

/** What is reported when a site looks like this, and then like that. */
function reportsOf(
  moments: readonly { readonly stores?: readonly StoreView[]; readonly allocs?: readonly AllocView[] }[],
  holdsLeases = true,
): ViolationKind[] {
  const reports: ViolationKind[] = [];
  let now: (typeof moments)[number] = {};
  const oracles = new Oracles({
    stores: () => (now.stores ?? []).map(storeHost),
    allocs: () => (now.allocs ?? []).map(allocHost),
    report: (kind) => reports.push(kind),
    holdsLeases,
  });
  for (const moment of moments) {
    now = moment;
    oracles.check(undefined);
    oracles.checkAllocs();
  }
  return [...new Set(reports)];
}

const SOUND: StoreView = { name: 's1', terms: [1, 1, 2], commitIndex: 3 };

describe('the checks of a simulated site', () => {
  it('find nothing in replicas that agree and one owner within its lease', () => {
    const stores = [SOUND, { ...SOUND, name: 's2', commitIndex: 2 }];
    expect(
      reportsOf([
        {
          stores,
          allocs: [
            { name: 'a1', leftMs: 10 },
            { name: 'a2', leftMs: 0 },
          ],
        },
      ]),
    ).to.deep.equal([]);
  });

  it('report two leaders of one term, and not of two', () => {
    const leader = (name: string, term: number): StoreView => ({ ...SOUND, name, role: 'leader', term });
    expect(reportsOf([{ stores: [leader('s1', 2), leader('s2', 2)] }])).to.deep.equal(['raft']);
    expect(reportsOf([{ stores: [leader('s1', 2), leader('s2', 3)] }])).to.deep.equal([]);
  });

  it('report a committed entry that another one took the place of', () => {
    expect(reportsOf([{ stores: [SOUND] }, { stores: [SOUND, { name: 's2', terms: [1, 2, 2], commitIndex: 3 }] }])).to.deep.equal(['lost']);
  });

  it('report a commit index that goes back within one run', () => {
    expect(reportsOf([{ stores: [SOUND] }, { stores: [{ ...SOUND, commitIndex: 2 }] }])).to.deep.equal(['raft']);
  });

  it('report replicas that applied the same and hold something else', () => {
    expect(reportsOf([{ stores: [SOUND, { ...SOUND, name: 's2', stateHash: 'another' }] }])).to.deep.equal(['stateHash']);
  });

  it('report a routing version, an epoch and a maxSeq that go back', () => {
    const later = (change: Partial<StoreView>): ViolationKind[] => {
      const after: StoreView = { name: 's1', terms: [1, 1, 2, 2], commitIndex: 4, ...change };
      return reportsOf([{ stores: [{ ...SOUND, sections: [{ ...SECTION, epoch: 2 }] }] }, { stores: [after] }]);
    };
    expect(later({ version: 2, sections: [{ ...SECTION, epoch: 2 }] })).to.deep.equal(['wentBack']);
    expect(later({ sections: [{ ...SECTION, epoch: 1 }] })).to.deep.equal(['wentBack']);
    expect(later({ sections: [{ ...SECTION, epoch: 2, maxSeq: 9n }] })).to.deep.equal(['wentBack']);
    expect(later({ sections: [{ ...SECTION, epoch: 3, maxSeq: 9n }] })).to.deep.equal([]);
  });

  it('report numbers above the ceiling in memory, and a ceiling above what is committed', () => {
    const at = (alloc: Partial<AllocView>): ViolationKind[] => reportsOf([{ stores: [SOUND], allocs: [{ name: 'a1', leftMs: 10, ...alloc }] }]);
    expect(at({ trueMax: 11n })).to.deep.equal(['ceiling']);
    expect(at({ maxSeq: 11n })).to.deep.equal(['ceiling']);
    expect(at({ epoch: 2 })).to.deep.equal(['ceiling']);
    expect(at({ maxSeq: 10n, trueMax: 10n })).to.deep.equal([]);
  });

  it('report two owners with valid leases, unless the clocks of the run are out of their bound', () => {
    const allocs: AllocView[] = [
      { name: 'a1', leftMs: 1 },
      { name: 'a2', leftMs: 1 },
    ];
    expect(reportsOf([{ stores: [SOUND], allocs }])).to.deep.equal(['twoOwners']);
    expect(reportsOf([{ stores: [SOUND], allocs }], false)).to.deep.equal([]);
    expect(reportsOf([{ stores: [SOUND], allocs: [allocs[0]!, { ...allocs[1]!, isOpen: false }] }])).to.deep.equal([]);
  });
});
