import { A, B } from '../unit/store/placement-stage.js';
import { CLUSTER_ID, GENERATION, run } from '../unit/store/fixture.js';
import type { Words } from './messages.js';

const SECTIONS = [0, 1, 2, 63, 64, 69, 70, 4294967295];
const EPOCHS = ['0', '1', '2', '3', '9007199254740992'];
const SEQS = ['0', '1', '50', '100', '101', '200', '300', '1099511627876', '9223372036854775807', '9223372036854775808'];
const ALLOCS = ['a1', 'b2', 'a2', 'a3', 'nobody', ''];
const RUNS = [A, B, run('a1', 2), run('a2'), run('a3')].map(({ incarnation }) => incarnation as string);
const ADDRESSES = ['h:1', 'a1:7000', '127.0.0.1:0', '[::1]:7', '0.0.0.0:1', 'nowhere', ''];
const NAMES = ['s1', 's2', 's3', 's4', 'main', 'west', ''];
const UUIDS = ['1', '2', '3', '4', 'c'].map((digit) => digit.repeat(32));
const SIZES = [1, 1, 2, 10, 64, 70, 0, 4294967295];

/** For everything that a StoreSvr with the set of test/unit/store/fixture.ts is asked or told. */
export const STORE_WORDS: Words = {
  allocId: ALLOCS,
  toAllocId: ALLOCS,
  incarnation: [...RUNS, 'e'.repeat(32), 'no'],
  section: SECTIONS,
  firstSection: SECTIONS,
  sectionCount: SIZES,
  epoch: EPOCHS,
  to: SEQS,
  trueMax: SEQS,
  base: SEQS,
  maxSeq: SEQS,
  generation: [String(GENERATION), '0', String(GENERATION + 1)],
  value: ['0', '1', '2', '3', '4', '5', '6', '7'],
  digest: ['', 'ab'.repeat(32), 'ab'],
  address: ADDRESSES,
  peerAddress: ADDRESSES,
  zone: ['', 'z1', 'no zone'],
  clusterId: [CLUSTER_ID, '', 'd'.repeat(32), 'no'],
  nodeUuid: UUIDS,
  name: NAMES,
  home: NAMES,
  seeds: ADDRESSES,
  firstUid: ['0', '700', '1', '18446744073709551615'],
  lastUid: ['699', '799', '0', '18446744073709551615'],
  uidsPerSection: [10, 1, 100_000, 0, 10_000_001],
  leaseMs: [3000, 5000, 1000, 0, 4294967295],
  driftPpm: [10_000, 0, 999_999, 1_000_000],
  marginMs: [100, 0, 4294967295],
  waitMs: [3161, 0],
  raiseBy: ['100', '1', '0', '9223372036854775807'],
  version: ['0', '1', '2'],
  basedOn: ['0', '1', '2'],
  arbiterTerm: ['1', '2', '0'],
  leaseNumber: ['0', '1', '2'],
  atUnixMs: ['1750000000000', '0', '9007199254740992'],
  placement: ['balanced', 'primary-standby', 'none'],
  standbys: ['a1', 'b2', 'nobody', ''],
  movesInFlightMax: [10, 1, 0, 4294967295],
  silentShareMaxPercent: [50, 0, 100, 101],
  reason: ['', 'why', 'x'.repeat(201), 'ünï'],
  limit: [0, 1, 500, 501],
  id: [1, 2, 3, 4, 0, 4294967295],
  oldId: [1, 2, 3, 4, 0],
  replacesId: [0, 1, 2, 3],
};
