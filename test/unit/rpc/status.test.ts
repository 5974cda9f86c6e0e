import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { ERRORS, type ErrorCode, SeqError } from '../../../src/base/errors.js';
import { errorFromDetail, errorFromWire, errorToDetail, errorToWire, type WireError } from '../../../src/rpc/status.js';

describe('status', () => {
  const codes = Object.keys(ERRORS) as ErrorCode[];

  it('carries every code over the wire, with everything the caller needs', () => {
    for (const code of codes) {
      for (const definite of [true, false]) {
        const sent = new SeqError(code, `why ${code}`, { definite, retryAfterMs: 250, redirect: { id: 'a2', address: '10.0.0.2:7000' } });
        const got = errorFromWire(received(errorToWire(sent)), '10.0.0.1:7000');
        expect(got).to.include({ code, message: `why ${code}`, definite, retryAfterMs: 250, endpoint: '10.0.0.1:7000' });
        expect(got.redirect).to.deep.equal({ id: 'a2', address: '10.0.0.2:7000' });
      }
    }
  });

  it('leaves out what was not told', () => {
    const got = errorFromWire(received(errorToWire(new SeqError('NOT_OWNER', 'nobody'))), 'h:1');
    expect([got.retryAfterMs, got.redirect]).to.deep.equal([undefined, undefined]);
  });

  it('never calls a bare status definite, UNAVAILABLE included', () => {
    for (const code of Object.values(status).filter((value) => typeof value === 'number')) {
      const got = errorFromWire(received({ code, details: '', metadata: new Metadata() }), 'h:1');
      expect(got.definite, status[code]).to.equal(false);
      expect(codes).to.include(got.code);
    }
  });

  it('reads the bare statuses that gRPC makes by itself', () => {
    const rows: readonly (readonly [status, ErrorCode])[] = [
      [status.UNAVAILABLE, 'UNAVAILABLE'],
      [status.CANCELLED, 'UNAVAILABLE'],
      [status.DEADLINE_EXCEEDED, 'TIMEOUT'],
      [status.RESOURCE_EXHAUSTED, 'RESOURCE_EXHAUSTED'],
      [status.UNIMPLEMENTED, 'PROTOCOL'],
      [status.INTERNAL, 'PROTOCOL'],
      [status.UNKNOWN, 'PROTOCOL'],
    ];
    for (const [code, expected] of rows) {
      const got = errorFromWire(received({ code, details: 'what happened', metadata: new Metadata() }), 'h:1');
      expect([got.code, got.message]).to.deep.equal([expected, 'h:1: what happened']);
    }
  });

  it('takes a connection that broke while writing for UNAVAILABLE, whatever grpc-js calls it', () => {
    const details = 'Received RST_STREAM with code 2 triggered by internal client error: write EPIPE';
    const got = errorFromWire(received({ code: status.INTERNAL, details, metadata: new Metadata() }), 'h:1');
    expect(got).to.include({ code: 'UNAVAILABLE', definite: false });
  });

  it('tells a caller nothing about a bug but that there is one', () => {
    const wire = errorToWire(new TypeError('secret of the inside'));
    expect(wire).to.include({ code: status.INTERNAL, details: 'internal error' });
    expect(errorFromWire(received(wire), 'h:1')).to.include({ code: 'PROTOCOL', definite: false });
  });

  it('takes a trailer that cannot be read for no word at all', () => {
    const wire = errorToWire(new SeqError('CLOSED', 'closed'));
    wire.metadata.set('seqsvr-error-bin', Buffer.from([0xff, 0xff, 0xff]));
    expect(errorFromWire(received(wire), 'h:1')).to.include({ code: 'PROTOCOL', definite: false });
  });

  it('does not guess what the code of a newer version means', () => {
    const detail = { ...errorToDetail(new SeqError('CLOSED', 'why')), code: 'FROM_THE_FUTURE' };
    expect(errorFromDetail(detail)).to.include({ code: 'PROTOCOL', message: "unknown error code 'FROM_THE_FUTURE': why" });
    expect(errorFromDetail({ ...detail, code: 'toString' }).code).to.equal('PROTOCOL');
  });

  it('says how new the table of the answering node is', () => {
    const error = new SeqError('NOT_OWNER', 'why');
    expect(errorToDetail(error, { generation: 7, value: 3 }).routingVersion).to.deep.equal({ generation: 7n, value: 3n });
    expect(errorToDetail(error).routingVersion).to.equal(undefined);
  });
});

/** As grpc-js hands it to the caller. */
function received(wire: WireError): ServiceError {
  return Object.assign(new Error(`${wire.code} ${wire.details}`), wire);
}
