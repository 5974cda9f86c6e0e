import type { Principal } from './access.js';

/** One call of a method that changes the cluster on somebody's word, once it is over. */
export interface AuditEvent {
  readonly type: 'audit';
  /** Its path on the wire. */
  readonly method: string;
  /** 'carol'; 'unknown' where nobody asks. */
  readonly who: string;
  readonly role: string;
  /** Address and port that it came from. */
  readonly from: string;
  /** What was asked for, as JSON, cut at ARGUMENTS_MAX characters. '' when the request did not come. */
  readonly arguments: string;
  /** The name of a gRPC status: 'OK', 'PERMISSION_DENIED'. */
  readonly outcome: string;
  /** The message of a refusal. */
  readonly details: string;
}

/** Of what one call was asked to do, in characters. */
const ARGUMENTS_MAX = 1_000;

export function whoIs(principal: Principal | undefined): Pick<AuditEvent, 'who' | 'role'> {
  return { who: principal?.name ?? 'unknown', role: principal?.role ?? '' };
}

/** 64-bit numbers as text, bytes as their number. */
export function summaryOf(request: unknown): string {
  if (request === undefined) return '';
  const text = JSON.stringify(request, (_key, value: unknown) => {
    if (typeof value === 'bigint') return value.toString();
    return value instanceof Uint8Array ? `${value.length} bytes` : value;
  });
  return text.length > ARGUMENTS_MAX ? `${text.slice(0, ARGUMENTS_MAX)}...` : text;
}
