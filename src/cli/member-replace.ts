import { SeqError } from '../base/errors.js';
import { parseName } from '../model/ids.js';
import { AdminServiceService as Admin, type StoreMember, type StoreStatus } from '../rpc/gen/seqsvr/v1/admin.js';
import { printDryRun } from './dry-run.js';
import { askJoiner, type Joiner, requireSameCluster, storeOf } from './joiner.js';
import { type MemberArgs, notYetVoter, parseTarget, printMember } from './member.js';
import { type MemberSession, type Voices, withMembers } from './member-session.js';
import { confirm } from './terminal.js';

/** Between two looks at a node that comes up as a joiner, in ms. */
const LOOK_EVERY_MS = 250;

export interface ReplaceArgs extends MemberArgs {
  /** Another machine takes its place. Undefined: the same one, with new data. */
  readonly by: { readonly name: string; readonly address: string } | undefined;
  readonly waits: boolean;
  readonly isConfirmed: boolean;
}

/**
 * `seqctl member replace NAME [NEWNAME ADDR]`: the new one joins as a learner, catches up, and in one change becomes a
 * voter while the old one leaves. Until then the old one counts, if it still can. Repeated, it takes up where it was.
 */
export function memberReplace(args: ReplaceArgs, voices: Voices): Promise<number> {
  const name = parseName(args.name, 'NAME');
  const by = args.by === undefined ? undefined : { name: parseName(args.by.name, 'NEWNAME'), address: parseTarget(args.by.address, 'ADDR') };
  return withMembers(args, voices, async (session) => {
    const clusterId = await session.clusterId();
    const { members } = await session.list();
    const begun = members.find((member) => member.replacesId !== 0 && isReplacing(member, { name, by: by?.name }, members));
    const old = begun === undefined ? await session.member(name) : members.find(({ id }) => id === begun.replacesId);
    if (old === undefined) throw new SeqError('INVALID_ARGUMENT', `no member is called ${name}`);
    if (args.isDryRun)
      return printDryRun(voices, args, { command: 'member replace', change: await replaceWords(session, { old, by, clusterId, begun }) });
    const joiner = begun ?? (await joinerFor(session, { old, by, clusterId, args, voices }));
    const isNew = ({ nodeUuid }: StoreMember): boolean => nodeUuid === joiner.nodeUuid;
    if (begun === undefined) {
      const request = { ...joiner, clusterId, isLearner: false, replacesId: old.id };
      await session.change(
        (channel, options) => channel.call(Admin.addMember, request, options),
        (now) => now.some(isNew),
      );
    }
    if (args.waits) await session.until(`the replacement of ${name}`, (now) => notYetReplaced(now, { old, isNew, joiner }));
    return printMember(session, voices, { args, kind: 'MemberReplaced', is: isNew });
  });
}

/** Is it the one that an earlier run of this very command has added? */
function isReplacing(
  member: StoreMember,
  names: { readonly name: string; readonly by: string | undefined },
  members: readonly StoreMember[],
): boolean {
  const old = members.find(({ id }) => id === member.replacesId);
  return old?.name === names.name && member.name === (names.by ?? names.name);
}

function notYetReplaced(
  members: readonly StoreMember[],
  { old, isNew, joiner }: { readonly old: StoreMember; readonly isNew: (member: StoreMember) => boolean; readonly joiner: Pick<Joiner, 'name'> },
): string | undefined {
  const word = notYetVoter(members.find(isNew), joiner.name);
  if (word !== undefined) return word;
  return members.some(({ id }) => id === old.id) ? `${old.name} (id ${old.id}) is still leaving` : undefined;
}

interface Wanted {
  readonly old: StoreMember;
  readonly by: { readonly name: string; readonly address: string } | undefined;
  readonly clusterId: string;
  readonly args: ReplaceArgs;
  readonly voices: Voices;
}

/** What it would come to, as far as it can be asked. Throws what would be refused. */
async function replaceWords(
  session: MemberSession,
  { old, by, clusterId, begun }: Pick<Wanted, 'old' | 'by' | 'clusterId'> & { readonly begun: StoreMember | undefined },
): Promise<string> {
  if (begun !== undefined) return `this waits for ${begun.name} (id ${begun.id}), which is on its way into the place of ${old.name} already`;
  if (by === undefined) return consequenceOf(old, await oldOwn(session, { old, clusterId }));
  await askJoiner(session, { ...by, clusterId });
  return byWords(old, by.name);
}

function byWords({ name, id }: StoreMember, by: string): string {
  return `this replaces ${name} (id ${id}) by ${by}: the data of ${name} never counts again, and its process ends`;
}

function consequenceOf({ name, id, address }: StoreMember, { quarantine }: StoreStatus): string {
  if (quarantine === undefined)
    return `this replaces the old data of ${name} (id ${id}) by the new data directory that runs at ${address}; the old never counts again`;
  return `${name} (id ${id}) is quarantined: ${quarantine.reason}. This puts its data aside and lets it join with none`;
}

/** The store that takes the place: it runs and waits to be added when this resolves, and the user means it. */
async function joinerFor(session: MemberSession, { old, by, clusterId, args, voices }: Wanted): Promise<Joiner> {
  const { isConfirmed } = args;
  if (by !== undefined) {
    const joiner = await askJoiner(session, { ...by, clusterId });
    await confirm({ consequence: byWords(old, by.name), word: old.name, isConfirmed, flag: '--yes' }, voices);
    return joiner;
  }
  const store = await oldOwn(session, { old, clusterId });
  await confirm({ consequence: consequenceOf(old, store), word: old.name, isConfirmed, flag: '--yes' }, voices);
  if (store.quarantine !== undefined) {
    const request = { clusterId, nodeUuid: store.nodeUuid };
    const { movedTo } = await session.finder.callAt(old.address, (channel, options) => channel.call(Admin.rejoin, request, options));
    session.progress(`the old data of ${old.name} is in ${movedTo} there`);
    await comesUp(session, old);
  }
  return askJoiner(session, { name: old.name, address: old.address, clusterId });
}

/** What answers in the place of the old one. Throws with what to do unless it is quarantined, or has new data. */
async function oldOwn(session: MemberSession, { old, clusterId }: Pick<Wanted, 'old' | 'clusterId'>): Promise<StoreStatus> {
  const { name, address } = old;
  const elsewhere = `to let another machine take its place: 'seqctl member replace ${name} NEWNAME ADDR'`;
  let why = '';
  const status = await session.finder.statusAt(address, (reason) => {
    why = reason;
  });
  if (status === undefined) {
    throw new SeqError(
      'UNAVAILABLE',
      `${name} does not answer at ${address} (${why}): start it; when its data is lost, with 'join: true' in its config and an empty dataDir; ${elsewhere}`,
      { definite: true },
    );
  }
  const store = storeOf(status, address);
  requireSameCluster(status, { address, clusterId });
  if (store.quarantine === undefined && store.nodeUuid === old.nodeUuid) {
    throw new SeqError('INVALID_ARGUMENT', `${name} at ${address} is no case for it: its data is sound, and it is a ${store.standing}; ${elsewhere}`);
  }
  return store;
}

/** Until the node that put its data aside answers as a joiner. */
async function comesUp(session: MemberSession, { name, address }: StoreMember): Promise<void> {
  let word = `${name} does not answer yet`;
  while (session.finder.leftMs > 0) {
    const status = await session.finder.statusAt(address, (reason) => {
      word = `${name} does not answer yet (${reason})`;
    });
    if (status !== undefined) {
      const { standing, quarantine } = storeOf(status, address);
      if (quarantine === undefined && standing === 'joining') return;
      word = `${name} is ${standing}`;
    }
    session.progress(word);
    await session.finder.pause(LOOK_EVERY_MS);
  }
  throw new SeqError('TIMEOUT', `its data is put aside, but ${word}; run the command again once it is up`, { definite: true });
}
