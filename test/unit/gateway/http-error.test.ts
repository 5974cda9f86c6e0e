import { expect } from 'chai';
import { ERRORS, SeqError } from '../../../src/base/errors.js';
import { answerToError, HTTP_STATUS, HttpRefusal } from '../../../src/gateway/http-error.js';

describe('the HTTP status of an error', () => {
  it('is there for every code', () => {
    expect(Object.keys(HTTP_STATUS)).to.have.members(Object.keys(ERRORS));
  });

  it('tells a client of HTTP whether to come again: only what is retryable, and who gave up, is 429, 5xx or 499', () => {
    const comesAgain = Object.entries(HTTP_STATUS)
      .filter(([, status]) => status === 429 || status >= 499)
      .map(([code]) => code);
    const retryable = Object.entries(ERRORS).filter(([, { retryable: is }]) => is);
    // A gateway that closes is one of several; one that cannot read a server's answer is not at fault.
    expect(comesAgain).to.have.members([...retryable.map(([code]) => code), 'ABORTED', 'CLOSED', 'PROTOCOL']);
  });

  it('comes with code, message and what the error knows', () => {
    const error = new SeqError('RESOURCE_EXHAUSTED', 'the queue is full', { retryAfterMs: 1_001 });
    expect(answerToError(error)).to.deep.equal({
      status: 429,
      headers: { 'retry-after': '2' },
      body: { error: { code: 'RESOURCE_EXHAUSTED', message: 'the queue is full', retryable: true, definite: true, retryAfterMs: 1_001 } },
    });
  });

  it('says when a number may have been taken', () => {
    expect(answerToError(new SeqError('TIMEOUT', 'x')).body).to.deep.include({
      error: { code: 'TIMEOUT', message: 'x', retryable: true, definite: false },
    });
  });

  it('is that of HTTP where the request was no request', () => {
    const refused = new HttpRefusal(405, new SeqError('INVALID_ARGUMENT', 'x'), { allow: 'GET' });
    expect(answerToError(refused)).to.deep.include({ status: 405, headers: { allow: 'GET' } });
  });

  it('tells nothing of a bug', () => {
    const { status, body } = answerToError(new Error('the secret'));
    expect(status).to.equal(500);
    expect(JSON.stringify(body)).to.include('INTERNAL').and.not.include('secret');
  });
});
