import { expect } from 'chai';
import { type ErrorCode, SeqError } from '../../../src/base/errors.js';
import { parseAllocId, SEQ_MAX, toEpoch, toSectionId, toSeq, UID_MAX } from '../../../src/model/ids.js';
import type { RoutingTable } from '../../../src/model/routing.js';
import type { WindowRun } from '../../../src/model/window.js';
import {
  callerFromWire,
  epochFromWire,
  geometryFromWire,
  leaseTermsFromWire,
  numberFromWire,
  sectionRunFromWire,
  seqFromWire,
  tableFromWire,
  tableToWire,
  versionFromWire,
  versionToWire,
  windowFromWire,
  windowToWire,
} from '../../../src/rpc/codec.js';
import { RoutingTable as WireTable } from '../../../src/rpc/gen/seqsvr/v1/common.js';
import { WindowRun as WireWindow } from '../../../src/rpc/gen/seqsvr/v1/store.js';

const geometry = { firstUid: 0n, lastUid: 99n, uidsPerSection: 10 };
const table: RoutingTable = {
  version: { generation: 1_750_000_000, value: 12 },
  geometry,
  allocs: ['a1', 'a2'].map((id) => ({ id: parseAllocId(id), address: `${id}:7000`, zone: 'z' })),
  stores: [{ id: 1, name: 's1', address: 's1:7100' }],
  runs: [
    { sectionCount: 4, alloc: 0, epoch: toEpoch(3) },
    { sectionCount: 1, alloc: undefined, epoch: toEpoch(0) },
    { sectionCount: 5, alloc: 1, epoch: toEpoch(2 ** 53 - 1) },
  ],
};
const window: WindowRun = {
  firstSection: toSectionId(4),
  sectionCount: 6,
  epoch: toEpoch(9),
  base: toSeq(0n),
  maxSeq: SEQ_MAX,
  leaving: true,
};

describe('codec', () => {
  it('brings a table and a window back from their bytes as they were', () => {
    expect(tableFromWire(WireTable.decode(WireTable.encode(tableToWire(table)).finish()))).to.deep.equal(table);
    expect(windowFromWire(WireWindow.decode(WireWindow.encode(windowToWire(window)).finish()), geometry)).to.deep.equal(window);
    expect(versionFromWire(versionToWire(table.version))).to.deep.equal(table.version);
  });

  it('takes 64-bit numbers up to where they stay exact, and says which value broke the rule', () => {
    expect(numberFromWire(2n ** 53n - 1n, 'term')).to.equal(2 ** 53 - 1);
    expectRefusal(() => numberFromWire(2n ** 53n, 'term'), 'PROTOCOL', 'term must be at most 2^53-1, got 9007199254740992');
    expectRefusal(() => epochFromWire(2n ** 64n - 1n), 'PROTOCOL', 'epoch must be');
    expect(seqFromWire(SEQ_MAX)).to.equal(SEQ_MAX);
    expectRefusal(() => seqFromWire(SEQ_MAX + 1n), 'PROTOCOL', 'got 9223372036854775808');
  });

  const wire = tableToWire(table);
  const broken: readonly (readonly [string, Partial<WireTable>, ErrorCode, string])[] = [
    ['no version', { version: undefined }, 'PROTOCOL', 'without a version'],
    ['no geometry', { geometry: undefined }, 'PROTOCOL', 'geometry is missing'],
    ['an impossible geometry', { geometry: { ...geometry, uidsPerSection: 0 } }, 'INVALID_ARGUMENT', 'got 0'],
    ['a geometry too large to hold', { geometry: { firstUid: 0n, lastUid: UID_MAX, uidsPerSection: 1 } }, 'INVALID_ARGUMENT', 'at most'],
    ['an empty run', { runs: [{ sectionCount: 0, alloc: 0, epoch: 0n }, ...wire.runs] }, 'PROTOCOL', 'empty run'],
    ['a section left out', { runs: wire.runs.slice(1) }, 'PROTOCOL', 'covers 6 of 10'],
    ['a section too many', { runs: [...wire.runs, { sectionCount: 1, alloc: 0, epoch: 0n }] }, 'PROTOCOL', 'covers 11 of 10'],
    ['an owner that is not there', { runs: [{ sectionCount: 10, alloc: 3, epoch: 0n }] }, 'PROTOCOL', 'owner 3 of 2'],
    ['an owner without a proper name', { allocs: [{ id: '../x', address: 'h:1', zone: '' }, wire.allocs[1]!] }, 'INVALID_ARGUMENT', "'../x'"],
    ['an epoch past 2^53', { runs: [{ sectionCount: 10, alloc: 1, epoch: 2n ** 53n }] }, 'PROTOCOL', 'epoch must be'],
  ];
  for (const [name, change, code, message] of broken) {
    it(`refuses a table with ${name}`, () => expectRefusal(() => tableFromWire({ ...wire, ...change }), code, message));
  }

  it('refuses windows outside the set, empty, or turned over', () => {
    const good = windowToWire(window);
    expectRefusal(() => windowFromWire({ ...good, firstSection: 5 }, geometry), 'PROTOCOL', '5+6 lie outside a set of 10');
    expectRefusal(() => windowFromWire({ ...good, sectionCount: 0 }, geometry), 'PROTOCOL', '4+0');
    expectRefusal(() => windowFromWire({ ...good, base: 2n, maxSeq: 1n }, geometry), 'PROTOCOL', 'base 2 above max_seq 1');
    expectRefusal(() => sectionRunFromWire({ firstSection: 2 ** 32 - 1, sectionCount: 2 ** 32 - 1 }, geometry), 'PROTOCOL', 'lie outside');
    expect(sectionRunFromWire({ firstSection: 9, sectionCount: 1 }, geometry)).to.deep.equal({ firstSection: 9, sectionCount: 1 });
  });

  it('refuses an absent geometry, absent lease terms and a caller without a proper name', () => {
    expectRefusal(() => geometryFromWire(undefined), 'PROTOCOL', 'missing');
    expectRefusal(() => leaseTermsFromWire(undefined), 'PROTOCOL', 'missing');
    const caller = { allocId: 'a1', incarnation: 'f'.repeat(32) };
    expect(callerFromWire(caller)).to.deep.equal(caller);
    expectRefusal(() => callerFromWire({ ...caller, allocId: '' }), 'INVALID_ARGUMENT', 'alloc id');
    expectRefusal(() => callerFromWire({ ...caller, incarnation: 'F'.repeat(32) }), 'INVALID_ARGUMENT', 'incarnation');
  });
});

function expectRefusal(act: () => unknown, code: ErrorCode, message: string): void {
  expect(act)
    .to.throw(SeqError, message)
    .that.satisfies((error: SeqError) => error.code === code);
}
