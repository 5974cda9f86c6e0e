import { SeqError } from '../base/errors.js';

/**
 * What a caller is to the cluster. `client` takes numbers; `alloc` and `store` are its own nodes; `admin` operates it and may do all that a
 * client may; `monitor` looks and changes nothing.
 */
export const ROLES = ['client', 'alloc', 'store', 'admin', 'monitor'] as const;
export type Role = (typeof ROLES)[number];

/** Who calls, as a certificate or a token told it. */
export interface Principal {
  /** 1 to 63 of [A-Za-z0-9._-]. */
  readonly name: string;
  readonly role: Role;
}

/** Who may call a method. */
export interface Rule {
  /** 'anyone': also who says nothing of themselves. Only for what tells nothing but that a server answers. */
  readonly roles: readonly Role[] | 'anyone';
  /** It changes the cluster on somebody's word: each call is written to the audit trail. */
  readonly isAudited: boolean;
}

// An AllocSvr is a client, too: its HTTP gateway asks the others for what is not its own.
const NUMBERS: Rule = { roles: ['client', 'alloc', 'admin'], isAudited: false };
const ROUTES: Rule = { roles: ['client', 'alloc', 'store', 'admin', 'monitor'], isAudited: false };
const OF_ALLOCS: Rule = { roles: ['alloc'], isAudited: false };
const OF_STORES: Rule = { roles: ['store'], isAudited: false };
const LOOK: Rule = { roles: ['admin', 'monitor'], isAudited: false };
/** Also by a store that is restored: it makes sure that nothing of the old cluster lives. */
const STATUS: Rule = { roles: ['admin', 'monitor', 'store'], isAudited: false };
const CHANGE: Rule = { roles: ['admin'], isAudited: true };
const ANYONE: Rule = { roles: 'anyone', isAudited: false };

/** Every method, by its path on the wire. What is not here is denied to everybody. */
export const ACCESS: ReadonlyMap<string, Rule> = new Map([
  ...rows('seqsvr.v1.SeqService', NUMBERS, ['Next', 'NextMany', 'Current', 'Advance', 'Exchange']),
  ...rows('seqsvr.v1.RouteService', ROUTES, ['GetRoute']),
  ...rows('seqsvr.v1.StoreService', OF_ALLOCS, [
    'Register',
    'Renew',
    'Watch',
    'Raise',
    'Release',
    'Drain',
    'Load',
    'Confirm',
    // By the supervisor of AllocSvrs, whose certificate is theirs.
    'ReportDeath',
  ]),
  ...rows('seqsvr.v1.HandoffService', OF_ALLOCS, ['Pull']),
  ...rows('seqsvr.v1.PeerService', OF_STORES, ['Deliver', 'InstallSnapshot']),
  ...rows('seqsvr.v1.AdminService', STATUS, ['GetStatus']),
  ...rows('seqsvr.v1.AdminService', LOOK, ['ListMembers']),
  ...rows('seqsvr.v1.AdminService', CHANGE, [
    'AddMember',
    'PromoteMember',
    'RemoveMember',
    'UpdateMember',
    'TransferLeader',
    'Rejoin',
    // It changes nothing, but all there is leaves the cluster with it.
    'SaveSnapshot',
  ]),
  ...rows('seqsvr.v1.PlacementService', LOOK, ['GetArbiter', 'GetHistory', 'ListSections', 'GetSets']),
  ...rows('seqsvr.v1.PlacementService', CHANGE, ['MoveSections', 'Rebalance', 'SetPolicy', 'SetLease', 'DrainAlloc', 'RemoveAlloc', 'SetSets']),
  ...rows('grpc.health.v1.Health', ANYONE, ['Check', 'Watch']),
]);

/** Throws UNAUTHENTICATED or PERMISSION_DENIED unless the caller may call the method. `principal`: undefined when nobody knows who calls. */
export function authorize(method: string, principal: Principal | undefined): void {
  demand(ACCESS.get(method), method, principal);
}

/** The same for a page of the admin port that shows what is inside, such as /metrics. */
export function authorizeLook(page: string, principal: Principal | undefined): void {
  demand(LOOK, page, principal);
}

function demand(rule: Rule | undefined, method: string, principal: Principal | undefined): void {
  if (rule?.roles === 'anyone') return;
  if (principal === undefined) {
    throw new SeqError(
      'UNAUTHENTICATED',
      `${method} needs a certificate with a role (a URI seqsvr://ROLE/NAME) or a token, and the call has neither`,
    );
  }
  if (rule === undefined) throw new SeqError('PERMISSION_DENIED', `nobody may call ${method}: it has no rule`);
  if (rule.roles.includes(principal.role)) return;
  throw new SeqError(
    'PERMISSION_DENIED',
    `${principal.role} '${principal.name}' may not call ${method}: it takes the role ${rule.roles.join(' or ')}`,
  );
}

/**
 * The principal in a certificate's subjectAltName, as Node prints it: of its URIs exactly one is `seqsvr://ROLE/NAME`. Undefined: it has none, or
 * it is not to be trusted to say. Node puts names that hold a comma or a quote into quotes (CVE-2021-44532); ours never need it, so they are refused.
 */
export function principalOfAltNames(altNames: string | undefined): Principal | undefined {
  if (altNames === undefined || altNames.includes('"')) return undefined;
  const uris = altNames.split(', ').filter((name) => name.startsWith('URI:seqsvr:'));
  return uris.length === 1 ? principalOfUri(uris[0]?.slice('URI:'.length) ?? '') : undefined;
}

/** Undefined unless it is `seqsvr://ROLE/NAME` to the letter. */
export function principalOfUri(uri: string): Principal | undefined {
  const match = /^seqsvr:\/\/([a-z]{1,16})\/([A-Za-z0-9][A-Za-z0-9._-]{0,62})$/.exec(uri);
  const role = ROLES.find((known) => known === match?.[1]);
  return role === undefined || match?.[2] === undefined ? undefined : { role, name: match[2] };
}

export function uriOf({ role, name }: Principal): string {
  return `seqsvr://${role}/${name}`;
}

function rows(service: string, rule: Rule, methods: readonly string[]): [string, Rule][] {
  return methods.map((method) => [`/${service}/${method}`, rule]);
}
