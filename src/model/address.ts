import { messageOf, SeqError, show } from '../base/errors.js';

/** Hosts that a server can listen on and nobody can dial. */
const WILDCARD_HOSTS: ReadonlySet<string> = new Set(['0.0.0.0', '[::]', '*']);

/** `host:port` in two. Throws INVALID_ARGUMENT unless it is one; IPv6 hosts stand in brackets. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const match = /^(\[[0-9A-Fa-f:.]{2,45}\]|[^:\s[\]]{1,253}):(\d{1,5})$/.exec(address);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port > 65_535) {
    throw new SeqError('INVALID_ARGUMENT', `an address is host:port with a port in [0, 65535], got ${show(address)}`);
  }
  return { host: match[1], port };
}

/** True for `host:port` with a port that is one: what came from the wire and is no address is not dialled. */
export function isDialable(text: string): boolean {
  try {
    return splitAddress(text).port > 0;
  } catch (error) {
    if (error instanceof SeqError) return false;
    throw error;
  }
}

/** `address` is `host:port`; throws INVALID_ARGUMENT unless it is. */
export function isWildcard(address: string): boolean {
  return WILDCARD_HOSTS.has(splitAddress(address).host);
}

/** True when only this machine can reach `address`, `host:port`: 127.0.0.0/8, ::1 or localhost. */
export function isLoopback(address: string): boolean {
  const { host } = splitAddress(address);
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Why nobody can listen on `address`, as INVALID_ARGUMENT with what to do about it. `cause` is what the system said. */
export function cannotListen(address: string, cause: unknown): SeqError {
  return new SeqError('INVALID_ARGUMENT', `cannot listen on ${address}: ${portAdvice(messageOf(cause), splitAddress(address).port)}`, { cause });
}

function portAdvice(text: string, port: number): string {
  if (/EADDRINUSE/.test(text)) return `port ${port} is in use by another process; stop it or choose another port`;
  if (/EACCES/.test(text)) return `port ${port} needs privileges; choose one above 1023`;
  return text;
}
