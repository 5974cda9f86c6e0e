import type { GetStatusResponse, StoreMember } from '../rpc/gen/seqsvr/v1/admin.js';
import type { Column } from './table.js';

/** One line of `seqctl member list`. What is not known is undefined, and absent in JSON. */
export interface MemberLine {
  readonly name: string;
  readonly id: number;
  /** leader, voter, learner or leaving. */
  readonly role: string;
  /**
   * up; down: it answers neither the leader nor this tool; unheard: it answers this tool and not the leader; unreachable:
   * the other way round; quarantined; replaced: another data directory answers at its address.
   */
  readonly state: string;
  readonly matchIndex: bigint | undefined;
  readonly lag: bigint | undefined;
  readonly peerAddress: string;
  readonly address: string;
  readonly nodeUuid: string;
  readonly wantsVote: boolean;
  readonly replacesId: number | undefined;
  /** Why it is quarantined. */
  readonly reason: string | undefined;
}

/** The first digits of a uuid tell directories of one set apart. */
const UUID_SHOWN = 8;

export const MEMBER_COLUMNS: readonly Column<MemberLine>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'ID', cell: ({ id }) => String(id) },
  { title: 'ROLE', cell: ({ role }) => role },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'MATCH', cell: ({ matchIndex }) => (matchIndex === undefined ? '' : String(matchIndex)) },
  { title: 'LAG', cell: ({ lag }) => (lag === undefined ? '' : String(lag)) },
  { title: 'PEER-ADDRESS', cell: ({ peerAddress }) => peerAddress },
  { title: 'ADDRESS', cell: ({ address }) => address },
  { title: 'UUID', cell: ({ nodeUuid }) => nodeUuid.slice(0, UUID_SHOWN) },
  { title: 'WHOLE-UUID', isWide: true, cell: ({ nodeUuid }) => nodeUuid },
  { title: 'WANTS-VOTE', isWide: true, cell: ({ role, wantsVote }) => (role === 'learner' ? yesOrNo(wantsVote) : '') },
  { title: 'REPLACES', isWide: true, cell: ({ replacesId }) => (replacesId === undefined ? '' : String(replacesId)) },
  { title: 'REASON', isWide: true, cell: ({ reason }) => reason ?? '' },
];

/** A member as the list has it, beside what answered at its address. `leaderId` undefined: nobody leads, so nobody knows who is heard. Pure. */
export function memberLine(member: StoreMember, status: GetStatusResponse | undefined, leaderId: number | undefined): MemberLine {
  const { id, name, peerAddress, address, nodeUuid, wantsVote, matchIndex, lag, replacesId } = member;
  const store = status?.role?.$case === 'store' ? status.role.value : undefined;
  return {
    name,
    id,
    role: id === leaderId ? 'leader' : member.role,
    state: stateOf({
      member,
      answers: status !== undefined,
      store,
      isHeard: leaderId === undefined ? undefined : id === leaderId || member.isActive,
    }),
    matchIndex: matchIndex === 0n ? undefined : matchIndex,
    lag: lag < 0n ? undefined : lag,
    peerAddress,
    address,
    nodeUuid,
    wantsVote,
    replacesId: replacesId === 0 ? undefined : replacesId,
    reason: store?.quarantine?.reason,
  };
}

function yesOrNo(fact: boolean): string {
  return fact ? 'yes' : 'no';
}

function stateOf(facts: {
  readonly member: StoreMember;
  readonly answers: boolean;
  readonly store: { readonly nodeUuid: string; readonly quarantine?: object | undefined } | undefined;
  readonly isHeard: boolean | undefined;
}): string {
  const { member, answers, store, isHeard } = facts;
  if (!answers) return isHeard === true ? 'unreachable' : 'down';
  // One whose identity cannot be read is still the node of that address.
  if (store?.quarantine !== undefined && (store.nodeUuid === '' || store.nodeUuid === member.nodeUuid)) return 'quarantined';
  if (store === undefined || (member.nodeUuid !== '' && store.nodeUuid !== member.nodeUuid)) return 'replaced';
  return isHeard === false ? 'unheard' : 'up';
}
