import { expect } from 'chai';
import { ERRORS, type ErrorCode, messageOf, optional, SeqError, show } from '../../../src/base/errors.js';

describe('errors', () => {
  const codes = Object.keys(ERRORS) as ErrorCode[];

  it('holds every code of the guarantee sheet, each with a sentence', () => {
    const promised =
      'INVALID_ARGUMENT OUT_OF_RANGE NOT_OWNER UNAVAILABLE TIMEOUT ABORTED RESOURCE_EXHAUSTED UNAUTHENTICATED PERMISSION_DENIED PROTOCOL CLOSED';
    expect(codes).to.include.members(promised.split(' '));
    for (const code of codes) expect(ERRORS[code].doc, code).to.match(/^[A-Z].*\.$/);
  });

  it('takes definite and retryable from the table', () => {
    for (const code of codes) {
      const error = new SeqError(code, 'why');
      expect([error.definite, error.retryable, error.maybeAllocated], code).to.deep.equal([
        ERRORS[code].definite,
        ERRORS[code].retryable,
        !ERRORS[code].definite,
      ]);
    }
  });

  it('never calls an outcome definite by its code alone when the request may have been served', () => {
    for (const code of ['UNAVAILABLE', 'TIMEOUT', 'ABORTED', 'PROTOCOL'] as const) expect(ERRORS[code].definite, code).to.equal(false);
  });

  it('lets the maker overrule definite, for only the maker knows', () => {
    expect(new SeqError('UNAVAILABLE', 'no owner', { definite: true }).maybeAllocated).to.equal(false);
  });

  it('tells its own from others, and one code from another', () => {
    expect(SeqError.is(new SeqError('CLOSED', 'closed'))).to.equal(true);
    expect(SeqError.is(new SeqError('CLOSED', 'closed'), 'CLOSED')).to.equal(true);
    expect(SeqError.is(new SeqError('CLOSED', 'closed'), 'TIMEOUT')).to.equal(false);
    expect(SeqError.is(new Error('CLOSED'))).to.equal(false);
  });

  it('adds context without losing what was there', () => {
    const cause = new Error('socket');
    const first = new SeqError('NOT_OWNER', 'elsewhere', { cause, definite: false, retryAfterMs: 5, redirect: { id: 'a2', address: 'h:1' } });
    const second = first.with({ endpoint: 'h:2', attempts: 3 });
    expect(second).to.include({ code: 'NOT_OWNER', message: 'elsewhere', definite: false, retryAfterMs: 5, endpoint: 'h:2', attempts: 3, cause });
    expect(second.redirect).to.deep.equal({ id: 'a2', address: 'h:1' });
    expect(second.with({ message: 'gone', definite: true })).to.include({ message: 'gone', definite: true, attempts: 3 });
  });

  it('leaves an absent option out instead of setting it to undefined', () => {
    expect(optional('a', undefined)).to.deep.equal({});
    expect(optional('a', 0)).to.deep.equal({ a: 0 });
    expect(Object.hasOwn(new SeqError('CLOSED', 'closed'), 'cause')).to.equal(false);
  });

  it('finds words for anything that was thrown', () => {
    expect(messageOf(new Error('one'))).to.equal('one');
    expect(messageOf('two')).to.equal('two');
    expect(messageOf(undefined)).to.equal('undefined');
  });

  it('shows any value in at most 80 letters, and never throws', () => {
    for (const value of ['x'.repeat(1_000), Symbol('s'), () => 1, Object.create(null), 10n ** 200n]) {
      expect(show(value).length).to.be.at.most(80);
    }
  });
});
