import { X509Certificate } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, isoTime, systemClock, wallMsOf } from '../base/clock.js';
import { messageOf, optional, SeqError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { parseName } from '../model/ids.js';
import { principalOfAltNames, type Role } from '../rpc/access.js';
import { type KeyedCertificate, makeCa, makeLeaf, type Validity } from './certificate.js';
import { EXIT } from './exit.js';
import { type Format, type Output, print } from './output.js';
import { type Column, renderTable } from './table.js';
import { readText } from './tls-files.js';

const DAY_MS = 86_400_000;
/** A certificate counts from a little before it was made, in ms, for clocks that are behind. */
const BACKDATED_MS = 3_600_000;
const DAYS_MAX = 36_500;

interface MakeArgs {
  readonly name: string;
  readonly days: number;
  /** The folder where certificate and key go. */
  readonly out: string;
  readonly output: Format;
}

export interface LeafArgs extends MakeArgs {
  readonly role: Role;
  readonly caCert: string;
  readonly caKey: string;
  readonly hosts: readonly string[];
  readonly isServer: boolean;
}

/** One certificate of a file, as `cert inspect` tells it. */
export interface CertificateLine {
  readonly file: string;
  readonly subject: string;
  readonly issuer: string;
  readonly isCa: boolean;
  readonly role: string | undefined;
  readonly name: string | undefined;
  /** As the certificate has them: 'DNS:a.example, IP Address:10.0.0.7'. */
  readonly names: string;
  readonly validFrom: string;
  readonly validTo: string;
  readonly daysLeft: number;
  readonly state: 'good' | 'ends soon' | 'expired' | 'not yet';
}

const COLUMNS: readonly Column<CertificateLine>[] = [
  { title: 'FILE', cell: ({ file }) => file },
  { title: 'SUBJECT', cell: ({ subject }) => subject },
  { title: 'ROLE', cell: ({ isCa, role }) => (isCa ? 'root' : (role ?? 'none')) },
  { title: 'NAME', cell: ({ name }) => name ?? '' },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'DAYS LEFT', cell: ({ daysLeft }) => String(daysLeft) },
  { title: 'VALID TO', cell: ({ validTo }) => validTo },
  { title: 'VALID FROM', isWide: true, cell: ({ validFrom }) => validFrom },
  { title: 'ISSUER', isWide: true, cell: ({ issuer }) => issuer },
  { title: 'NAMES', isWide: true, cell: ({ names }) => names },
];

/** `seqctl cert create-ca`: a root of its own making. Throws INVALID_ARGUMENT when a file of that name is there already. */
export function createCa({ name, days, out, output: format }: MakeArgs, output: Output): number {
  const made = makeCa({ name: parseName(name, '--name'), validity: validityOf(days, systemClock), random: systemRandom });
  return keep(made, { name: 'ca', out, format }, output);
}

/** `seqctl cert create-node` and `create-client`: a certificate that a root signs. */
export function createLeaf(args: LeafArgs, output: Output): number {
  const { role, hosts, isServer, out, output: format } = args;
  const name = parseName(args.name, '--name');
  const ca = { cert: readText(args.caCert), key: readText(args.caKey) };
  const validity = validityOf(args.days, systemClock);
  const caEndMs = wallMsOf(certificatesOf(args.caCert)[0]?.validTo ?? '');
  if (validity.toMs > caEndMs) {
    throw new SeqError('INVALID_ARGUMENT', `--days ${args.days} is longer than the root lasts, until ${isoTime(caEndMs)}`);
  }
  const made = makeLeaf({ ca, principal: { role, name }, hosts, isServer, validity, random: systemRandom });
  return keep(made, { name, out, format }, output);
}

/** `seqctl cert inspect FILE...`: what stands in certificates. Exit code 4 when one does not count now, or ends within `warnDays`. */
export function inspectCerts(
  args: { readonly files: readonly string[]; readonly warnDays: number; readonly output: Format },
  output: Output,
): number {
  const lines = args.files.flatMap((file) =>
    certificatesOf(file).map((one) => lineOf(one, { file, nowMs: systemClock.wallMs(), warnDays: args.warnDays })),
  );
  print(output, args.output, { kind: 'Certificates', body: { certificates: lines }, table: renderTable(COLUMNS, lines, args.output) });
  for (const { file, name, subject, state, validTo } of lines) {
    if (state !== 'good') output.talk(`warning: ${file}: ${name ?? subject}: ${state} (${validTo})`);
  }
  return lines.every(({ state }) => state === 'good') ? EXIT.ok : EXIT.unhealthy;
}

/** Pure. `file`: where it was found. */
export function lineOf(one: X509Certificate, where: { readonly file: string; readonly nowMs: number; readonly warnDays: number }): CertificateLine {
  const { file, nowMs, warnDays } = where;
  const [fromMs, toMs] = [wallMsOf(one.validFrom), wallMsOf(one.validTo)];
  const principal = principalOfAltNames(one.subjectAltName);
  const soon = toMs - nowMs < warnDays * DAY_MS ? 'ends soon' : 'good';
  return {
    file,
    subject: one.subject.replaceAll('\n', ', '),
    issuer: one.issuer.replaceAll('\n', ', '),
    isCa: one.ca,
    role: principal?.role,
    name: principal?.name,
    names: one.subjectAltName ?? '',
    validFrom: isoTime(fromMs),
    validTo: isoTime(toMs),
    daysLeft: Math.floor((toMs - nowMs) / DAY_MS),
    state: toMs <= nowMs ? 'expired' : fromMs > nowMs ? 'not yet' : soon,
  };
}

/** All that a PEM file has, in its order. Throws INVALID_ARGUMENT when it has none, or one cannot be read. */
function certificatesOf(file: string): X509Certificate[] {
  const found = readText(file).match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0) throw new SeqError('INVALID_ARGUMENT', `${file}: there is no certificate in it (PEM)`);
  try {
    return found.map((pem) => new X509Certificate(pem));
  } catch (cause) {
    throw new SeqError('INVALID_ARGUMENT', `${file}: a certificate in it cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function validityOf(days: number, clock: Clock): Validity {
  if (days < 1 || days > DAYS_MAX) throw new SeqError('INVALID_ARGUMENT', `--days must be in [1, ${DAYS_MAX}], got ${days}`);
  const nowMs = clock.wallMs();
  return { fromMs: nowMs - BACKDATED_MS, toMs: nowMs + days * DAY_MS };
}

function keep(made: KeyedCertificate, how: { readonly name: string; readonly out: string; readonly format: Format }, output: Output): number {
  const { name, out, format } = how;
  const [cert, key] = [join(out, `${name}.crt`), join(out, `${name}.key`)];
  try {
    mkdirSync(out, { recursive: true });
    // A key that is in use is never written over; the key first, for a certificate without one is of no use.
    writeFileSync(key, made.key, { mode: 0o600, flag: 'wx' });
    writeFileSync(cert, made.cert, { flag: 'wx' });
  } catch (cause) {
    throw new SeqError('INVALID_ARGUMENT', `${cert} and ${key} cannot be made: ${messageOf(cause)}`, { cause });
  }
  const { role, validTo } = lineOf(new X509Certificate(made.cert), { file: cert, nowMs: 0, warnDays: 0 });
  print(output, format, { kind: 'CertificateMade', body: { name, ...optional('role', role), cert, key, validTo }, table: `${cert}\n${key}\n` });
  return EXIT.ok;
}
