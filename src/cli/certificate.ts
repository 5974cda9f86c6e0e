import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { isIP, SocketAddress } from 'node:net';
import { messageOf, SeqError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { type Principal, uriOf } from '../rpc/access.js';
import { bits, integer, objectId, octets, pem, sequence, set, time, utf8, value, yes } from './der.js';

/** A certificate and its private key, both PEM. */
export interface KeyedCertificate {
  readonly cert: string;
  readonly key: string;
}

/** From when to when it counts, ms since 1970. */
export interface Validity {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface LeafRequest {
  readonly ca: KeyedCertificate;
  readonly principal: Principal;
  /** The hosts under which others dial it: names and addresses. A client needs none. */
  readonly hosts: readonly string[];
  /** A node serves and dials; a client only dials, so that its certificate can never pass for a server's. */
  readonly isServer: boolean;
  readonly validity: Validity;
  readonly random: Random;
}

const ECDSA_SHA256 = sequence(objectId('1.2.840.10045.4.3.2'));
const COMMON_NAME = objectId('2.5.4.3');
const SUBJECT_KEY_ID = '2.5.29.14';
const KEY_USAGE = '2.5.29.15';
const ALT_NAMES = '2.5.29.17';
const BASIC_CONSTRAINTS = '2.5.29.19';
const AUTHORITY_KEY_ID = '2.5.29.35';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const SERVER_AUTH = objectId('1.3.6.1.5.5.7.3.1');
const CLIENT_AUTH = objectId('1.3.6.1.5.5.7.3.2');
/** Bits of KeyUsage (RFC 5280, 4.2.1.3): digitalSignature; keyCertSign and cRLSign. */
const MAY_SIGN = bits(Buffer.of(0x80), 7);
const MAY_CERTIFY = bits(Buffer.of(0x06), 1);

/** A root of its own making, P-256, that signs leaves and no other roots. */
export function makeCa(options: { readonly name: string; readonly validity: Validity; readonly random: Random }): KeyedCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const id = keyIdOf(publicKey);
  const extensions = [
    extension(BASIC_CONSTRAINTS, sequence(yes(), integer(Buffer.of(0))), true),
    extension(KEY_USAGE, MAY_CERTIFY, true),
    extension(SUBJECT_KEY_ID, octets(id)),
  ];
  const name = nameOf(options.name);
  return { cert: certify({ ...options, subject: name, issuer: name, publicKey, signer: privateKey, extensions }), key: textOf(privateKey) };
}

/** Throws INVALID_ARGUMENT when `ca` is no root with its key, or a host is none. */
export function makeLeaf({ ca, principal, hosts, isServer, validity, random }: LeafRequest): KeyedCertificate {
  const issuer = readCa(ca);
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const extensions = [
    extension(BASIC_CONSTRAINTS, sequence(), true),
    extension(KEY_USAGE, MAY_SIGN, true),
    extension(EXTENDED_KEY_USAGE, isServer ? sequence(SERVER_AUTH, CLIENT_AUTH) : sequence(CLIENT_AUTH)),
    extension(ALT_NAMES, sequence(...hosts.map(hostName), value(0x86, Buffer.from(uriOf(principal), 'latin1')))),
    extension(SUBJECT_KEY_ID, octets(keyIdOf(publicKey))),
    extension(AUTHORITY_KEY_ID, sequence(value(0x80, keyIdOf(issuer.certificate.publicKey)))),
  ];
  const subject = nameOf(principal.name);
  const cert = certify({ validity, random, subject, issuer: issuer.subject, publicKey, signer: issuer.key, extensions });
  return { cert, key: textOf(privateKey) };
}

/** Signs what the certificate says (RFC 5280, 4.1). */
function certify(options: {
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly validity: Validity;
  readonly random: Random;
  readonly extensions: readonly Buffer[];
}): string {
  const { subject, issuer, publicKey, signer, validity, random, extensions } = options;
  // 1 in front: never 0, never negative, and drawn from 2^120.
  const serial = Buffer.from(`01${random.id128().slice(2)}`, 'hex');
  const said = sequence(
    value(0xa0, integer(Buffer.of(2))),
    integer(serial),
    ECDSA_SHA256,
    issuer,
    sequence(time(validity.fromMs), time(validity.toMs)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    value(0xa3, sequence(...extensions)),
  );
  return pem('CERTIFICATE', sequence(said, ECDSA_SHA256, bits(sign('sha256', said, signer))));
}

function readCa({ cert, key }: KeyedCertificate): { readonly certificate: X509Certificate; readonly subject: Buffer; readonly key: KeyObject } {
  let certificate: X509Certificate;
  let signer: KeyObject;
  try {
    certificate = new X509Certificate(cert);
    signer = createPrivateKey(key);
  } catch (cause) {
    throw new SeqError('INVALID_ARGUMENT', `the root's certificate and key must be PEM: ${messageOf(cause)}`, { cause });
  }
  if (!certificate.ca) throw new SeqError('INVALID_ARGUMENT', 'the certificate to sign with must be a root, and is none');
  if (!certificate.checkPrivateKey(signer)) throw new SeqError('INVALID_ARGUMENT', "the root's certificate and key do not belong together");
  const name = /^CN=([^\n]+)$/.exec(certificate.subject)?.[1];
  if (name === undefined || signer.asymmetricKeyType !== 'ec') {
    throw new SeqError(
      'INVALID_ARGUMENT',
      `the root must be one of 'cert create-ca': named by CN alone, with a P-256 key; it is '${certificate.subject}'`,
    );
  }
  return { certificate, subject: nameOf(name), key: signer };
}

function extension(id: string, content: Buffer, isCritical = false): Buffer {
  return sequence(objectId(id), ...(isCritical ? [yes()] : []), octets(content));
}

function nameOf(commonName: string): Buffer {
  return sequence(set(sequence(COMMON_NAME, utf8(commonName))));
}

/** Any hash will do, as long as a root and its leaves agree (RFC 7093). */
function keyIdOf(publicKey: KeyObject): Buffer {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 20);
}

function textOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** An entry of subjectAltName. Throws INVALID_ARGUMENT. */
function hostName(host: string): Buffer {
  const family = isIP(host);
  if (family !== 0) return value(0x87, family === 4 ? Buffer.from(host.split('.').map(Number)) : bytesOfIpv6(host));
  if (!/^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(host)) {
    throw new SeqError('INVALID_ARGUMENT', `a host must be a name or an address, got '${host}'`);
  }
  return value(0x82, Buffer.from(host, 'latin1'));
}

/** Sixteen bytes, whichever way it is written. */
function bytesOfIpv6(host: string): Buffer {
  // Node writes it in the one short form (RFC 5952), with one '::' at most and no dots unless it stands for an IPv4 address.
  const short = new SocketAddress({ address: host, family: 'ipv6' }).address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = '', tail] = short.split('::');
  const words = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const before = words(head);
  const after = words(tail ?? '');
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => '0');
  return Buffer.from([...before, ...zeros, ...after].map((word) => word.padStart(4, '0')).join(''), 'hex');
}
