import { systemClock } from '../base/clock.js';
import { messageOf, SeqError } from '../base/errors.js';
import { contains, locate } from '../model/geometry.js';
import { parseUid, type Uid } from '../model/ids.js';
import type { RoutingTable } from '../model/routing.js';
import { setOf } from '../model/sets.js';
import { showVersion } from '../model/version.js';
import { ChannelPool } from '../rpc/channel-pool.js';
import { type GetArbiterResponse, type ListSectionsResponse, PlacementServiceService as Placement } from '../rpc/gen/seqsvr/v1/placement.js';
import { quietGrpc } from '../rpc/server.js';
import { wireOf } from './dial.js';
import { type AllocLine, allocLine } from './alloc-lines.js';
import { askArbiter } from './arbiter.js';
import { EXIT } from './exit.js';
import { fetchTable } from './inspect.js';
import { knock } from './knock.js';
import type { Voices } from './member-session.js';
import type { ConnectionArgs } from './options.js';
import { print } from './output.js';
import { routeLinesOf } from '../model/route-lines.js';
import { type SectionLine, sectionLine } from './section-lines.js';
import { mapOf } from './set.js';
import { StoreFinder } from './store-finder.js';

/** The leader's part may take so long, in ms: the table says most without it. */
const LEADER_LIMIT_MS = 2_000;

/** What the leader of the stores adds to a routing table. */
export interface LeaderWord {
  /** The section alone, with its window. */
  readonly section: SectionLine;
  /** Its owner as the leader hears it. Absent: it has none. */
  readonly owner: AllocLine | undefined;
  /** Why the arbiter gives nothing away now; '' when nothing holds it back. */
  readonly heldBackBy: string;
}

/** Who serves a uid, and why. */
export interface Explanation {
  readonly uid: Uid;
  readonly section: number;
  readonly slot: number;
  readonly firstUid: bigint;
  readonly lastUid: bigint;
  /** By the table of the endpoint; '' while nobody owns it. */
  readonly alloc: string;
  readonly address: string;
  readonly epoch: number;
  readonly routingVersion: RoutingTable['version'];
  /** Absent: no leader could be asked. */
  readonly leader: LeaderWord | undefined;
  /** Why not. '' when it was asked. */
  readonly leaderError: string;
}

/** `seqctl route explain UID`. Also without a leader, with less to say. Throws INVALID_ARGUMENT for a uid of another set, naming it. */
export async function routeExplain(args: ConnectionArgs & { readonly uid: string }, voices: Voices): Promise<number> {
  const uid = parseUid(args.uid);
  quietGrpc();
  await knock(args, systemClock);
  const pool = new ChannelPool({ clock: systemClock, wire: wireOf(args) });
  try {
    const { endpoints, timeoutMs } = args;
    const table = await fetchTable(endpoints, { pool, clock: systemClock, timeoutMs });
    const finder = new StoreFinder({ endpoints, pool, clock: systemClock, timeoutMs: Math.min(timeoutMs, LEADER_LIMIT_MS) });
    if (!contains(table.geometry, uid)) await refuseForeign(finder, uid);
    const explanation = { ...byTable(table, uid), ...(await askLeader(finder, locate(table.geometry, uid).section, table)) };
    print(voices.output, args.output, { kind: 'RouteExplanation', body: explanation, table: explainText(explanation) });
    return EXIT.ok;
  } finally {
    pool.close();
  }
}

/** What the table alone says. Pure. */
export function byTable(table: RoutingTable, uid: Uid): Omit<Explanation, 'leader' | 'leaderError'> {
  const { section, slot } = locate(table.geometry, uid);
  const route = routeLinesOf(table).find(({ firstSection, lastSection }) => firstSection <= section && section <= lastSection);
  if (route === undefined) throw new SeqError('PROTOCOL', `a routing table without section ${section}`);
  const size = BigInt(table.geometry.uidsPerSection);
  const firstUid = table.geometry.firstUid + BigInt(section) * size;
  const end = firstUid + size - 1n;
  const lastUid = end < table.geometry.lastUid ? end : table.geometry.lastUid;
  const { alloc, address, epoch } = route;
  return { uid, section, slot, firstUid, lastUid, alloc, address, epoch, routingVersion: table.version };
}

/** Sentences, one a line. Pure. */
export function explainText(explanation: Explanation): string {
  const { uid, section, slot, firstUid, lastUid, alloc, address, epoch, routingVersion, leader, leaderError } = explanation;
  const lines = [
    `uid ${uid} is slot ${slot} of section ${section} (uids ${firstUid}..${lastUid})`,
    alloc === ''
      ? `nobody serves it, by routing version ${showVersion(routingVersion)}`
      : `${alloc} at ${address} serves it in epoch ${epoch}, by routing version ${showVersion(routingVersion)}`,
  ];
  if (leader === undefined) lines.push(`no leader could be asked for more: ${leaderError}`);
  else lines.push(...leaderLines(leader, explanation));
  return `${lines.join('\n')}\n`;
}

function leaderLines({ section, owner, heldBackBy }: LeaderWord, { alloc }: Explanation): string[] {
  const { base, maxSeq, headroom, next } = section;
  const lines = [
    `its numbers of this epoch lie above ${base}; up to ${maxSeq} may be handed out before the next raise, ${headroom} are left after that`,
  ];
  if (section.alloc !== alloc) {
    lines.push(`the leader has a newer table: ${section.alloc === '' ? 'nobody' : section.alloc} owns the section, in epoch ${section.epoch}`);
  }
  if (owner === undefined) {
    lines.push(heldBackBy === '' ? 'the arbiter is about to give it away' : `the arbiter does not give it away: ${heldBackBy}`);
  } else {
    const heard = owner.heardMsAgo === undefined ? 'not heard by this leader yet' : `heard ${owner.heardMsAgo}ms ago`;
    lines.push(`${owner.name} is ${owner.state}, ${heard}; nobody else may serve the section for ${owner.waitLeftMs}ms from now`);
  }
  lines.push(next === '' ? 'no move is planned' : `a planned move takes it to ${next}`);
  return lines;
}

async function askLeader(finder: StoreFinder, section: number, { geometry }: RoutingTable): Promise<Pick<Explanation, 'leader' | 'leaderError'>> {
  try {
    const sections = await finder.callLeader((channel, options) => channel.call(Placement.listSections, { allocId: '' }, options));
    return { leader: leaderWord(section, { sections, arbiter: await askArbiter(finder), geometry }), leaderError: '' };
  } catch (error) {
    if (!SeqError.is(error)) throw error;
    return { leader: undefined, leaderError: messageOf(error) };
  }
}

function leaderWord(
  id: number,
  { sections, arbiter, geometry }: { sections: ListSectionsResponse; arbiter: GetArbiterResponse; geometry: RoutingTable['geometry'] },
): LeaderWord {
  const run = sections.sections.find(({ firstSection, sectionCount }) => firstSection <= id && id < firstSection + sectionCount);
  if (run === undefined) throw new SeqError('PROTOCOL', `a list of sections without section ${id}`);
  const section = sectionLine({ ...run, firstSection: id, sectionCount: 1 }, geometry);
  const owner = arbiter.allocs.find((alloc) => alloc.id === run.allocId);
  return { section, owner: owner === undefined ? undefined : allocLine(owner), heldBackBy: arbiter.heldBackBy };
}

/** Says which set a uid belongs to, when that is known. Returns when it is not: then the geometry's own message is the best there is. */
async function refuseForeign(finder: StoreFinder, uid: Uid): Promise<void> {
  const set = await mapOf(finder).then(
    (map) => setOf(map, uid),
    (error: unknown) => {
      if (!SeqError.is(error)) throw error;
      return undefined;
    },
  );
  if (set !== undefined) {
    throw new SeqError('INVALID_ARGUMENT', `uid ${uid} belongs to set ${set.name}: ask there, with --endpoints ${set.seeds.join(',')}`);
  }
}
