import { expect } from 'chai';
import { parseCallOptions, parseClientOptions, parseUids } from '../../../src/client/options.js';

const ENDPOINTS = ['127.0.0.1:7070'];
const DEFAULTS = { timeoutMs: 700, strict: false };

describe('client/options', () => {
  it('fills in the documented defaults', () => {
    expect(parseClientOptions({ endpoints: [...ENDPOINTS, ...ENDPOINTS] })).to.deep.include({
      endpoints: ENDPOINTS,
      timeoutMs: 5_000,
      retry: { maxAttempts: 32, baseMs: 10, maxMs: 500 },
    });
  });

  for (const { options, rule } of [
    { options: undefined, rule: /options must be an object, got undefined/ },
    { options: {}, rule: /endpoints must be an array of 1 to 64 host:port, got undefined/ },
    { options: { endpoints: [] }, rule: /1 to 64 host:port, got 0/ },
    { options: { endpoints: '127.0.0.1:7070' }, rule: /got '127.0.0.1:7070'/ },
    { options: { endpoints: ['127.0.0.1'] }, rule: /host:port.*'127.0.0.1'/ },
    { options: { endpoints: ['127.0.0.1:70700'] }, rule: /'127.0.0.1:70700'/ },
    { options: { endpoints: ['127.0.0.1:0'] }, rule: /port in \[1, 65535\]/ },
    { options: { endpoints: [7070] }, rule: /must be a string, host:port, got 7070/ },
    { options: { endpoints: ENDPOINTS, token: 'abc' }, rule: /token needs tls: it is not sent in the open/ },
    { options: { endpoints: ENDPOINTS, token: 'a b', tls: { ca: '' } }, rule: /^token must be 1 to 256 of (?!.*a b)/ },
    { options: { endpoints: ENDPOINTS, tls: { cert: 'x', key: 'y' } }, rule: /tls.ca must be PEM text/ },
    { options: { endpoints: ENDPOINTS, tls: { ca: 'x', certificate: 'y' } }, rule: /tls has an unknown key 'certificate'/ },
    { options: { endpoints: ENDPOINTS, tls: { ca: 'x' } }, rule: /the roots hold no certificate/ },
    { options: { endpoints: ENDPOINTS, timeout: 5 }, rule: /unknown key 'timeout'/ },
    { options: { endpoints: ENDPOINTS, timeoutMs: 0 }, rule: /timeoutMs .*\[1, 600000\], got 0/ },
    { options: { endpoints: ENDPOINTS, timeoutMs: '5s' }, rule: /timeoutMs .* got '5s'/ },
    { options: { endpoints: ENDPOINTS, timeoutMs: Number.NaN }, rule: /got NaN/ },
    { options: { endpoints: ENDPOINTS, retry: { maxAttempts: 0 } }, rule: /retry.maxAttempts .* got 0/ },
    { options: { endpoints: ENDPOINTS, retry: { baseMs: 50, maxMs: 10 } }, rule: /retry.maxMs .*\[50, 60000\], got 10/ },
    { options: { endpoints: ENDPOINTS, retry: { tries: 3 } }, rule: /unknown key 'tries'/ },
  ]) {
    it(`refuses ${JSON.stringify(options)} with the value and the rule`, () => {
      expect(() => parseClientOptions(options as never))
        .to.throw(rule)
        .with.property('code', 'INVALID_ARGUMENT');
    });
  }

  it('takes the client budget for a call that names none', () => {
    expect(parseCallOptions(undefined, DEFAULTS).timeoutMs).to.equal(700);
    expect(parseCallOptions({}, DEFAULTS).timeoutMs).to.equal(700);
    expect(parseCallOptions({ timeoutMs: 30 }, DEFAULTS).timeoutMs).to.equal(30);
  });

  for (const options of [5, null, [], { timeoutMs: -1 }, { timeoutMs: 1.5 }, { signal: 'stop' }, { deadline: 3 }]) {
    it(`refuses the call options ${JSON.stringify(options)}`, () => {
      expect(() => parseCallOptions(options as never, DEFAULTS))
        .to.throw()
        .with.property('code', 'INVALID_ARGUMENT');
    });
  }

  for (const uids of [5, '42', [-1], [1.5], ['x'], [2n ** 64n], [null]]) {
    it(`refuses ${String(uids)} (${typeof uids}) as the uids of a nextMany`, () => {
      expect(() => parseUids(uids as never))
        .to.throw()
        .with.property('code', 'INVALID_ARGUMENT');
    });
  }
});
