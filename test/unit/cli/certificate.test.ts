import { createPublicKey, X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { systemRandom } from '../../../src/base/random.js';
import { makeCa, makeLeaf } from '../../../src/cli/certificate.js';
import { principalOfAltNames } from '../../../src/rpc/access.js';

const random = systemRandom;
const validity = { fromMs: Date.UTC(2026, 0, 31, 12), toMs: Date.UTC(2051, 1, 1) };
const ca = makeCa({ name: 'our root', validity, random });
const leafOf = (hosts: readonly string[], isServer = true) =>
  makeLeaf({ ca, principal: { role: 'alloc', name: 'a1' }, hosts, isServer, validity, random });

describe('a certificate of our own making', () => {
  const root = new X509Certificate(ca.cert);

  it('is a root that signs itself', () => {
    expect(root.ca).to.equal(true);
    expect(root.subject).to.equal('CN=our root');
    expect(root.verify(root.publicKey)).to.equal(true);
  });

  it('is a leaf that the root signed, with the names that others dial and the one that says its role', () => {
    const leaf = new X509Certificate(leafOf(['a1.example', '10.0.0.7', '2001:db8::7', '::ffff:1.2.3.4']).cert);
    expect([leaf.ca, leaf.checkIssued(root), leaf.verify(root.publicKey)]).to.deep.equal([false, true, true]);
    expect(leaf.checkHost('a1.example')).to.equal('a1.example');
    expect(leaf.checkIP('10.0.0.7')).to.equal('10.0.0.7');
    expect(leaf.checkIP('2001:db8::7')).to.equal('2001:db8::7');
    expect(leaf.checkIP('2001:db8::8')).to.equal(undefined);
    expect(leaf.subjectAltName).to.include('IP Address:0:0:0:0:0:FFFF:102:304');
    expect(principalOfAltNames(leaf.subjectAltName)).to.deep.equal({ role: 'alloc', name: 'a1' });
  });

  it('counts from the second to the second that was asked for, in this half of the century and the next', () => {
    expect([root.validFrom, root.validTo]).to.deep.equal(['Jan 31 12:00:00 2026 GMT', 'Feb  1 00:00:00 2051 GMT']);
  });

  it('lets only a node serve', () => {
    expect(new X509Certificate(leafOf([]).cert).keyUsage).to.deep.equal(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    expect(new X509Certificate(leafOf([], false).cert).keyUsage).to.deep.equal(['1.3.6.1.5.5.7.3.2']);
  });

  it('has a key of its own and a number of its own', () => {
    const [one, other] = [leafOf([]), leafOf([])].map(({ cert, key }) => ({ cert: new X509Certificate(cert), key }));
    expect(one?.cert.serialNumber).to.not.equal(other?.cert.serialNumber);
    expect(one?.cert.publicKey.equals(createPublicKey(one.key))).to.equal(true);
    expect(one?.key).to.not.equal(other?.key);
  });

  it('is signed by nothing but a root, with its own key, for hosts that are some', () => {
    const leaf = leafOf([]);
    const of = (signer: typeof ca, host = 'a') =>
      makeLeaf({ ca: signer, principal: { role: 'client', name: 'c' }, hosts: [host], isServer: false, validity, random });
    expect(() => of(leaf)).to.throw('must be a root, and is none');
    expect(() => of({ cert: ca.cert, key: leaf.key })).to.throw('do not belong together');
    expect(() => of({ cert: 'x', key: 'y' })).to.throw('must be PEM');
    expect(() => of(ca, 'a b')).to.throw("a host must be a name or an address, got 'a b'");
  });
});
