import { expect } from 'chai';
import { DURATION_BUCKETS, MethodFigures } from '../../../src/rpc/method-figures.js';

describe('MethodFigures', () => {
  const make = (requestStream = false, responseStream = false): MethodFigures =>
    new MethodFigures('/seqsvr.v1.SeqService/Next', { requestStream, responseStream });

  it('knows what it counts', () => {
    const { service, method } = make();
    expect([service, method]).to.deep.equal(['seqsvr.v1.SeqService', 'Next']);
    expect([make().type, make(true).type, make(false, true).type, make(true, true).type]).to.deep.equal([
      'unary',
      'client_stream',
      'server_stream',
      'bidi_stream',
    ]);
  });

  it('puts a duration where its bound is not below it, and what is longer than all of them last', () => {
    const figures = make();
    for (const tookMs of [0, 0.05, 0.051, 1, 7_000_000]) figures.handled(0, tookMs);
    const found = [...figures.durationCounts].flatMap((count, at) => (count > 0 ? [[at, count]] : []));
    expect(found).to.deep.equal([
      [0, 2],
      [1, 1],
      [5, 1],
      [DURATION_BUCKETS.length, 1],
    ]);
    expect(figures.durationSumMs).to.be.closeTo(7_000_001.101, 1e-6);
  });

  it('counts a status that is none of gRPC as unknown', () => {
    const figures = make();
    for (const code of [0, 14, 14, 17, -1, 2]) figures.handled(code, 1);
    expect([figures.codeCounts[0], figures.codeCounts[14], figures.codeCounts[2]]).to.deep.equal([1, 2, 3]);
  });
});
