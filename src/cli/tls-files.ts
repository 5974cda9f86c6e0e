import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Clock, every, wallMsOf } from '../base/clock.js';
import { messageOf, SeqError } from '../base/errors.js';
import type { Log } from '../ops/log.js';
import { TlsIdentity, type TlsMaterial } from '../rpc/tls-identity.js';
import type { TlsFiles } from './tls-config.js';

/** How often the files are looked at, in ms. A tool that puts them there does so days before the old ones expire. */
export const LOOK_EVERY_MS = 10_000;
/** A certificate that ends within this time, in ms, is worth a warning. */
export const EXPIRES_SOON_MS = 14 * 86_400_000;

/** Reads what a node or a command has. Throws INVALID_ARGUMENT, with the file, when one cannot be read. */
export function readTls({
  ca,
  cert,
  key,
}: {
  readonly ca: string;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}): TlsMaterial {
  return { ca: readText(ca), cert: cert === undefined ? undefined : readText(cert), key: key === undefined ? undefined : readText(key) };
}

export interface WatchedFiles {
  readonly identity: TlsIdentity;
  readonly close: () => void;
}

/**
 * An identity that follows its files. New ones that are no good, or half written, change nothing and are said once; a certificate that ends soon is
 * said when it is read. Throws INVALID_ARGUMENT when they are no good to begin with.
 */
export function followTls(files: TlsFiles, { clock, log }: { readonly clock: Clock; readonly log: Log }): WatchedFiles {
  let seen = readTls(files);
  const identity = new TlsIdentity(seen);
  warn(seen);
  const close = every(clock, LOOK_EVERY_MS, () => {
    let found: TlsMaterial | undefined;
    try {
      found = readTls(files);
      if (found.ca === seen.ca && found.cert === seen.cert && found.key === seen.key) return;
      identity.replace(found);
      log.write('info', 'certificateReplaced', { cert: files.cert, ...endOf(found) });
      warn(found);
    } catch (error) {
      log.write('error', 'certificateRefused', { cert: files.cert, reason: messageOf(error) });
    }
    // What was refused is not tried again until it changes; what could not be read is.
    if (found !== undefined) seen = found;
  });
  return { identity, close };

  function warn(material: TlsMaterial): void {
    const { endsAt, endsInMs } = endOf(material);
    if (endsInMs < EXPIRES_SOON_MS) log.write('warn', 'certificateEndsSoon', { cert: files.cert, endsAt, days: Math.floor(endsInMs / 86_400_000) });
  }

  function endOf({ cert }: TlsMaterial): { readonly endsAt: string; readonly endsInMs: number } {
    const endsAt = cert === undefined ? '' : new X509Certificate(cert).validTo;
    return { endsAt, endsInMs: wallMsOf(endsAt) - clock.wallMs() };
  }
}

/** Throws INVALID_ARGUMENT when it cannot be read. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SeqError('INVALID_ARGUMENT', `the file '${file}' cannot be read: ${messageOf(cause)}`, { cause });
  }
}
