import { resolve } from 'node:path';
import { z } from 'zod';
import * as fields from './config-fields.js';
import type { Listener } from './exposure.js';

/** Where one side of TLS has its files, each PEM; absolute paths. */
export interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** What protects the ports of a node. */
export interface TlsConfig extends TlsFiles {
  /** Between stores: roots of their own, so that no certificate of a client is of any use there. Undefined in an AllocSvr. */
  readonly peer: TlsFiles | undefined;
  /** Where the tokens of callers without certificates are. Undefined: everybody shows a certificate. */
  readonly tokens: string | undefined;
}

const files = {
  ca: fields.pathField.describe(
    'The roots, PEM, of everybody who may connect, and of the stores that it dials itself. Several while roots are exchanged.',
  ),
  cert: fields.pathField.describe("This node's certificate and what is between it and its root, PEM: its hosts, and a URI `seqsvr://ROLE/NAME`."),
  key: fields.pathField.describe("The certificate's private key, PEM."),
};

const tokens = fields.pathField
  .describe('A file with a line `SHA256 ROLE NAME` for each token of a caller without a certificate. Left out: everybody shows a certificate.')
  .optional();

const peer = z.strictObject({
  ca: fields.pathField.describe('The roots of the other stores, PEM; best other ones than `tls.ca`.'),
  cert: fields.pathField.describe('What this store shows to the other stores: the role `store`.'),
  key: fields.pathField.describe("The certificate's private key, PEM."),
});

export const allocTls = z
  .strictObject({ ...files, tokens })
  .describe('TLS on `listen` and `adminListen`, and towards the stores. Both sides show certificates, read again when the files change.')
  .optional();

export const storeTls = z
  .strictObject({ ...files, tokens, peer: peer.describe('The same between stores, on `peerListen`.') })
  .describe('TLS on all ports. Both sides show certificates, read again when the files change.')
  .optional();

type Raw = (z.infer<typeof allocTls> & { readonly peer?: z.infer<typeof peer> }) | undefined;

export function toTls(raw: Raw): TlsConfig | undefined {
  return raw === undefined ? undefined : { ...absolute(raw), peer: raw.peer && absolute(raw.peer), tokens: raw.tokens && resolve(raw.tokens) };
}

/** Every port of a node, and whether `tls` protects it. */
export function listenersOf(raw: {
  readonly listen: string;
  readonly peerListen?: string;
  readonly adminListen?: string | undefined;
  readonly httpListen?: string | undefined;
  readonly tls?: object | undefined;
}): Listener[] {
  const secured = { by: ['tls'], isProtected: raw.tls !== undefined };
  return [
    { key: 'listen', address: raw.listen, ...secured },
    { key: 'peerListen', address: raw.peerListen, ...secured },
    { key: 'adminListen', address: raw.adminListen, ...secured },
    { key: 'httpListen', address: raw.httpListen, by: [], isProtected: false },
  ];
}

function absolute({ ca, cert, key }: TlsFiles): TlsFiles {
  return { ca: resolve(ca), cert: resolve(cert), key: resolve(key) };
}
