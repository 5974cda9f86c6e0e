import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import type { SaveSnapshotResponse } from '../../../src/rpc/gen/seqsvr/v1/admin.js';
import { CHUNK_BYTES_MAX } from '../../../src/store/snapshot-intake.js';
import { type CopiedNode, SnapshotSource, STALL_MAX_MS } from '../../../src/store/snapshot-source.js';
import { titleFromWire } from '../../../src/store/snapshot-title.js';
import { VirtualClock } from '../virtual-clock.js';
import { CLUSTER_ID } from './fixture.js';
import { usedCluster } from './snapshot-stage.js';

const BYTES = 2 * CHUNK_BYTES_MAX + 5;

describe('SnapshotSource', () => {
  const clock = new VirtualClock();
  const store = usedCluster();
  const data = Buffer.alloc(BYTES, 7);
  let confirm: () => Promise<void>;
  let source: SnapshotSource;
  let refusals: unknown[];

  beforeEach(() => {
    confirm = () => Promise.resolve();
    refusals = [];
    const node: CopiedNode = {
      state: store.state,
      copyState: () => ({ index: 9, term: 3, data, stateHash: 'ab', growth: undefined }),
      confirmLeadership: () => confirm(),
    };
    source = new SnapshotSource({ node, clock });
  });

  it('sends what it is, then its bytes, and ends', async () => {
    const reader = await begin();
    const [title, ...rest] = reader.got;
    expect(title?.part?.$case === 'title' && titleFromWire(title.part.value)).to.deep.include({
      clusterId: CLUSTER_ID,
      index: 9,
      term: 3,
      totalBytes: BYTES,
    });
    expect(Buffer.concat(rest.map(({ part }) => (part?.$case === 'data' ? part.value : Buffer.alloc(0)))).equals(data)).to.equal(true);
    expect(reader.isEnded).to.equal(true);
  });

  it('waits for a slow reader, one chunk at a time, and gives up on one that stands still', async () => {
    const slow = await begin({ hasRoom: false });
    expect(slow.got.length, 'the title and one chunk').to.equal(2);
    clock.advance(STALL_MAX_MS - 1);
    slow.tell('drain');
    expect(slow.got.length).to.equal(3);
    clock.advance(STALL_MAX_MS - 1);
    expect(refusals).to.deep.equal([]);
    clock.advance(1);
    expect(SeqError.is(refusals[0], 'UNAVAILABLE')).to.equal(true);
    slow.tell('drain');
    expect(slow.got.length, 'it is over').to.equal(3);
    expect((await begin()).isEnded, 'the next one has its turn').to.equal(true);
  });

  it('serves one reader at a time, and the next once that one has gone away', async () => {
    const first = await begin({ hasRoom: false });
    expect(() => source.send(new TestStream(true), () => undefined)).to.throw(SeqError, 'another snapshot is being read');
    first.tell('cancelled');
    expect((await begin()).isEnded).to.equal(true);
  });

  it('sends nothing before a quorum has confirmed the leader', async () => {
    confirm = () => Promise.reject(new SeqError('NOT_LEADER', 's1 does not lead'));
    const reader = await begin();
    expect([reader.got, SeqError.is(refusals[0], 'NOT_LEADER')]).to.deep.equal([[], true]);
  });

  async function begin({ hasRoom = true } = {}): Promise<TestStream> {
    const stream = new TestStream(hasRoom);
    source.send(stream, (error) => refusals.push(error));
    await clock.settle();
    return stream;
  }
});

class TestStream {
  readonly got: SaveSnapshotResponse[] = [];
  readonly #hasRoom: boolean;
  readonly #listeners = new Map<string, (() => void)[]>();
  isEnded = false;

  constructor(hasRoom: boolean) {
    this.#hasRoom = hasRoom;
  }

  write(response: SaveSnapshotResponse): boolean {
    this.got.push(response);
    return this.#hasRoom;
  }

  end(): void {
    this.isEnded = true;
  }

  on(event: string, listener: () => void): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  tell(event: string): void {
    for (const listener of this.#listeners.get(event) ?? []) listener();
  }
}
