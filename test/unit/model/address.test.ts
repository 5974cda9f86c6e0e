import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { cannotListen, isDialable, isWildcard, splitAddress } from '../../../src/model/address.js';

describe('address', () => {
  it('takes host:port, IPv6 in brackets, and refuses the rest with the value', () => {
    expect(splitAddress('localhost:7070')).to.deep.equal({ host: 'localhost', port: 7070 });
    expect(splitAddress('[::1]:0')).to.deep.equal({ host: '[::1]', port: 0 });
    for (const bad of ['', 'localhost', 'localhost:', ':7070', 'a:b', 'a:65536', '::1:7070', 'http://a:1', 'a :1', 'a:-1']) {
      expect(() => splitAddress(bad), bad).to.throw(SeqError, `got '${bad}'`);
    }
  });

  it('tells what can be dialled from what cannot', () => {
    expect(['a:1', '[::1]:65535'].map(isDialable)).to.deep.equal([true, true]);
    expect(['a:0', 'a', ''].map(isDialable)).to.deep.equal([false, false, false]);
  });

  it('knows a wildcard, which only a listener can use', () => {
    expect(['0.0.0.0:1', '[::]:1'].map(isWildcard)).to.deep.equal([true, true]);
    expect(['127.0.0.1:1', '[::1]:1'].map(isWildcard)).to.deep.equal([false, false]);
  });

  it('says what to do when nobody can listen on an address, and keeps what the system said', () => {
    const rows: readonly [string, string][] = [
      ['listen EADDRINUSE: address already in use', 'cannot listen on h:80: port 80 is in use by another process; stop it or choose another port'],
      ['listen EACCES: permission denied', 'cannot listen on h:80: port 80 needs privileges; choose one above 1023'],
      ['getaddrinfo ENOTFOUND h', 'cannot listen on h:80: getaddrinfo ENOTFOUND h'],
    ];
    for (const [said, message] of rows) {
      const cause = new Error(said);
      expect(cannotListen('h:80', cause)).to.include({ code: 'INVALID_ARGUMENT', message, cause });
    }
  });
});
