import { systemClock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { ChannelPool } from '../rpc/channel-pool.js';
import { AdminServiceService as Admin, type ListMembersResponse, type StoreMember } from '../rpc/gen/seqsvr/v1/admin.js';
import { quietGrpc } from '../rpc/server.js';
import { wireOf } from './dial.js';
import { knock } from './knock.js';
import type { ConnectionArgs } from './options.js';
import type { Output } from './output.js';
import { bestOf, StoreFinder } from './store-finder.js';
import type { Terminal } from './terminal.js';

/** How often a wait looks again, in ms. */
const LOOK_EVERY_MS = 250;

/** Where a command speaks. */
export interface Voices {
  readonly output: Output;
  readonly terminal: Terminal;
}

/** Runs one command on the members of a set; its time counts from here. */
export async function withMembers<Result>(args: ConnectionArgs, voices: Voices, work: (session: MemberSession) => Promise<Result>): Promise<Result> {
  quietGrpc();
  await knock(args, systemClock);
  const pool = new ChannelPool({ clock: systemClock, wire: wireOf(args) });
  try {
    const finder = new StoreFinder({ endpoints: args.endpoints, pool, clock: systemClock, timeoutMs: args.timeoutMs });
    return await work(new MemberSession(finder, voices));
  } finally {
    pool.close();
  }
}

/** What the member commands share: the confirmed list, changes that are looked at when nobody knows, and waits. */
export class MemberSession {
  readonly finder: StoreFinder;
  readonly #voices: Voices;
  #lastWord = '';

  constructor(finder: StoreFinder, voices: Voices) {
    this.finder = finder;
    this.#voices = voices;
  }

  /** The cluster that the endpoints belong to. Throws UNAVAILABLE when none of them is a member of one. */
  async clusterId(): Promise<string> {
    const clusterId = bestOf(await this.finder.search())?.status.clusterId;
    if (clusterId === undefined) throw new SeqError('UNAVAILABLE', 'no store that answers is a member of a cluster', { definite: true });
    return clusterId;
  }

  /** As the leader has it, confirmed by a quorum: whatever was done before is in it. */
  list(): Promise<ListMembersResponse> {
    return this.finder.callLeader((channel, options) => channel.call(Admin.listMembers, { confirm: true }, options));
  }

  /** The member of that name; of two, the one that is not on its way in. Throws INVALID_ARGUMENT with the names there are. */
  async member(name: string): Promise<StoreMember> {
    const { members } = await this.list();
    const found = members.filter((member) => member.name === name).sort((one, other) => one.replacesId - other.replacesId)[0];
    if (found === undefined) {
      throw new SeqError('INVALID_ARGUMENT', `no member is called ${name}; there are ${members.map((member) => member.name).join(', ')}`);
    }
    return found;
  }

  /**
   * Makes one change through the leader. When its answer is lost, looks whether it was made: `isDone` judges the
   * confirmed list. Throws what the leader said, or what was lost when it was not made.
   */
  async change(send: Parameters<StoreFinder['callLeader']>[0], isDone: (members: readonly StoreMember[]) => boolean): Promise<void> {
    for (;;) {
      try {
        await this.finder.callLeader(send);
        return;
      } catch (error) {
        if (!SeqError.is(error) || error.definite || this.finder.leftMs === 0) throw error;
        const isMade = await this.list().then(
          ({ members }) => isDone(members),
          // Nobody can be asked: then the answer that was lost is what there is to tell.
          () => undefined,
        );
        if (isMade === true) return;
        if (isMade === undefined) throw error;
        if (!error.retryable) throw error;
        await this.finder.pause(LOOK_EVERY_MS);
      }
    }
  }

  /**
   * Looks at the confirmed list again and again until `state` says that all is done: undefined. What it says otherwise is
   * shown to whoever watches, and is the reason when the time is over: TIMEOUT, definite, for what was asked for is under way.
   */
  until(goal: string, state: (members: readonly StoreMember[]) => string | undefined): Promise<void> {
    return this.untilSeen(goal, async () => state((await this.list()).members));
  }

  /** The same for anything that can be looked at. */
  async untilSeen(goal: string, look: () => Promise<string | undefined>, everyMs = LOOK_EVERY_MS): Promise<void> {
    let word = 'nothing was heard yet';
    while (this.finder.leftMs > 0) {
      try {
        const now = await look();
        if (now === undefined) return;
        word = now;
        this.progress(now);
      } catch (error) {
        // A leader that hands over in the middle, as when it is the one removed, is no failure of the wait.
        if (!SeqError.is(error) || !error.retryable) throw error;
        word = error.message;
      }
      await this.finder.pause(everyMs);
    }
    throw new SeqError('TIMEOUT', `the change was made, but ${goal} takes longer than the time given: ${word}; it goes on by itself`, {
      definite: true,
    });
  }

  /** One line for each new word, to whoever watches. */
  progress(word: string): void {
    if (word === this.#lastWord || !this.#voices.terminal.isWatched) return;
    this.#lastWord = word;
    this.#voices.output.talk(word);
  }
}
