import { expect } from 'chai';
import { EventEmitter } from 'node:events';
import { SeqError } from '../../../src/base/errors.js';
import { NO_VERSION, type Version } from '../../../src/model/version.js';
import type { Assignment, WatchResponse } from '../../../src/rpc/gen/seqsvr/v1/store.js';
import { type WatchStream, Watchers } from '../../../src/store/watchers.js';
import { run } from './fixture.js';

/** The stream of one AllocSvr, which reads when the test says so. */
class FakeStream extends EventEmitter implements WatchStream {
  readonly written: WatchResponse[] = [];
  writableLength = 0;
  isEnded = false;

  write(response: WatchResponse): boolean {
    expect(this.isEnded, 'nothing is written after the end').to.equal(false);
    this.written.push(response);
    return true;
  }

  end(): void {
    this.isEnded = true;
  }
}

describe('watchers', () => {
  let version: Version;
  let watchers: Watchers;

  beforeEach(() => {
    version = { generation: 5, value: 1 };
    watchers = new Watchers({ assignmentOf: ({ allocId }) => tableFor(allocId, version), version: () => version });
  });

  function watch(id: string, seen: Version = NO_VERSION): FakeStream {
    const stream = new FakeStream();
    watchers.add(stream, run(id), seen);
    return stream;
  }

  it('are told what they do not know yet as soon as they watch, and nothing when they know it', () => {
    expect(watch('a1').written.map(nameIn)).to.deep.equal(['a1@1']);
    expect(watch('a2', version).written).to.deep.equal([]);
    expect(watch('a3', { generation: 4, value: 99 }).written.map(nameIn), 'a table of a former generation').to.deep.equal(['a3@1']);
  });

  it('get each new version once, each with its own windows', () => {
    const streams = [watch('a1'), watch('a2')];
    version = { generation: 5, value: 2 };
    watchers.push();
    watchers.push();
    expect(streams.map(({ written }) => written.map(nameIn))).to.deep.equal([
      ['a1@1', 'a1@2'],
      ['a2@1', 'a2@2'],
    ]);
  });

  it('skip what came between, and never go back', () => {
    const stream = watch('a1', { generation: 5, value: 3 });
    for (const value of [2, 3, 7]) {
      version = { generation: 5, value };
      watchers.push();
    }
    expect(stream.written.map(nameIn)).to.deep.equal(['a1@7']);
  });

  it('are cut when they read too slowly: one that asks again gets the newest at once', () => {
    const [slow, well] = [watch('a1'), watch('a2')];
    slow.writableLength = 16;
    version = { generation: 5, value: 2 };
    watchers.push();
    expect([slow.isEnded, slow.written.length, well.isEnded, well.written.length]).to.deep.equal([true, 1, false, 2]);
    slow.writableLength = 0;
    version = { generation: 5, value: 3 };
    watchers.push();
    expect(slow.written.length).to.equal(1);
  });

  for (const event of ['cancelled', 'close', 'error'] as const) {
    it(`are forgotten when their stream says '${event}'`, () => {
      const stream = watch('a1');
      stream.emit(event, new Error('gone'));
      version = { generation: 5, value: 2 };
      watchers.push();
      expect(stream.written.length).to.equal(1);
    });
  }

  it('are sent away when this node no longer leads, so that they look for who does', () => {
    const streams = [watch('a1'), watch('a2')];
    watchers.close();
    version = { generation: 5, value: 2 };
    watchers.push();
    expect(streams.map(({ isEnded, written }) => [isEnded, written.length])).to.deep.equal([
      [true, 1],
      [true, 1],
    ]);
  });

  it('are at most 10,000, and a place that became free is given again', () => {
    const streams = Array.from({ length: 10_000 }, () => watch('a1'));
    expect(() => watch('a2'))
      .to.throw(SeqError, '10000 AllocSvrs watch already')
      .that.satisfies((error: SeqError) => error.code === 'RESOURCE_EXHAUSTED');
    streams[0]!.emit('close');
    expect(watch('a2').written.length).to.equal(1);
  });
});

function tableFor(id: string, { generation, value }: Version): Assignment {
  const routing = {
    version: { generation: BigInt(generation), value: BigInt(value) },
    geometry: undefined,
    allocs: [{ id, address: '', zone: '' }],
    runs: [],
    stores: [],
  };
  return { routing, windows: [], incoming: [] };
}

function nameIn({ assignment }: WatchResponse): string {
  return `${assignment?.routing?.allocs[0]?.id}@${assignment?.routing?.version?.value}`;
}
