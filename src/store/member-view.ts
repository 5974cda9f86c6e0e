/** Membership as operators see and change it; on a StoreNode. Every method but `list` rejects with a SeqError. */
export interface MembershipAdmin {
  /** As applied on this node, by id; on the leader with how far each member is. */
  list(): readonly MemberView[];
  add(member: NewMember): Promise<void>;
  promote(name: string): Promise<void>;
  remove(name: string): Promise<void>;
  update(name: string, to: { readonly peerAddress?: string; readonly address?: string }): Promise<void>;
}

/** voter; learner: gets the log and has no vote; leaving: an outgoing voter of a joint configuration. */
export type MemberRole = 'voter' | 'learner' | 'leaving';

export interface MemberView {
  readonly id: number;
  readonly name: string;
  /** '' while its data directory was not heard of. */
  readonly nodeUuid: string;
  /** `host:port` that other StoreSvrs dial. */
  readonly peerAddress: string;
  /** `host:port` of its store API. */
  readonly address: string;
  readonly role: MemberRole;
  readonly isLeader: boolean;
  /** On the leader: it answered within the last election timeout. */
  readonly isActive: boolean;
  /** On the leader: the last index it is known to hold; 0: unknown. */
  readonly matchIndex: number;
  /** On the leader: entries it is behind the last one. Undefined: unknown. */
  readonly lag: number | undefined;
  /** A learner that becomes a voter by itself once it has caught up. */
  readonly wantsVote: boolean;
  /** The member that leaves when this one becomes a voter. */
  readonly replacesId: number | undefined;
}

export interface NewMember {
  readonly id: number;
  readonly name: string;
  readonly nodeUuid: string;
  readonly peerAddress: string;
  readonly address: string;
  /** It stays a learner until it is promoted by hand. */
  readonly isLearner: boolean;
  readonly replacesId: number | undefined;
}
