import { type ConfChange, decodeConfChange } from '../../../src/raft/conf-change.js';
import type { Entry } from '../../../src/raft/types.js';
import { confChangeOf, type MembershipChange } from '../../../src/store/membership-change.js';
import { encodeConfChange } from '../../../src/raft/conf-change.js';
import { encodeCommand } from '../../../src/store/command-codec.js';
import type { Command } from '../../../src/store/command.js';
import type { SeededRandom } from '../../unit/seeded-random.js';
import { INIT, run, TestReplica } from '../../unit/store/fixture.js';
import { randomCommand } from '../../unit/store/random-command.js';
import { type Frame, packFrames, unpackFrames } from '../frames.js';
import { randomMessage, typeOf } from '../messages.js';
import { refusalOf, type Target } from '../target.js';
import { ReplicaWatch } from '../watch-replica.js';
import { STORE_WORDS } from '../words.js';

/** Frame kinds: the low bit says what the payload is, the rest is the term of the entry less 1. */
const [COMMAND, CONF_CHANGE] = [0, 1];
const kindOf = (term: number, type: number): number => ((term - 1) << 1) | type;

/** Entries of a log, in order: every replica must take or refuse each alike, and a refusal changes nothing. */
export const commands: Target = {
  name: 'commands',
  about: 'committed entries, commands and membership changes, applied by two replicas (store/command-codec.ts, store/state-machine.ts)',
  shape: { parts: 'frames', payload: 'proto' },
  generate(random) {
    const frames: Frame[] = random.chance(0.97) ? [{ kind: COMMAND, payload: encodeCommand(random.chance(0.95) ? INIT : anyInit(random)) }] : [];
    const known = TestReplica.with(...[1, 2, 3].map((id) => run(`a${id}`)));
    for (const id of [1, 2, 3])
      frames.push({ kind: COMMAND, payload: encodeCommand({ type: 'register', ...run(`a${id}`), address: `a${id}:7000`, zone: '' }) });
    for (let left = 2 + random.below(16); left > 0; left -= 1) frames.push(frameOf(random, known));
    return packFrames(frames);
  },
  feed(input) {
    const watch = new ReplicaWatch();
    const outcomes = unpackFrames(input).map(({ kind, payload }, place) => {
      const entry = entryOf({ index: place + 1, term: 1 + (kind >> 1), data: payload }, kind & 1);
      try {
        return watch.apply(entry);
      } catch (error) {
        // A node halts there. Here it goes on without that entry, for it must have changed nothing.
        return refusalOf(error);
      }
    });
    watch.end({ isThorough: input.length % 8 === 0 });
    return outcomes;
  },
};

function entryOf(at: Omit<Entry, 'type'>, type: number): Entry & { readonly confChange?: ConfChange } {
  if (type === COMMAND) return { ...at, type: 'normal' };
  const confChange = decodeConfChange(at.data);
  return confChange === undefined ? { ...at, type: 'normal' } : { ...at, type: 'confChange', confChange };
}

function frameOf(random: SeededRandom, known: TestReplica): Frame {
  const term = 1 + random.below(2);
  if (random.chance(0.15)) return { kind: kindOf(term, CONF_CHANGE), payload: encodeConfChange(confChangeOf(membershipOf(random))) };
  if (random.chance(0.3)) return { kind: kindOf(term, COMMAND), payload: randomMessage(typeOf('Command'), random, STORE_WORDS) };
  const command = randomCommand(random.below(2 ** 31), known.state, term);
  known.run(command, term);
  return { kind: kindOf(term, COMMAND), payload: encodeCommand(command) };
}

function membershipOf(random: SeededRandom): Exclude<MembershipChange, { type: 'leave' }> {
  const id = 1 + random.below(4);
  switch (random.below(4)) {
    case 0: {
      const member = { id, name: `s${id}`, nodeUuid: String(id).repeat(32), peerAddress: `p${id}:1`, address: `h${id}:1` };
      return { type: 'add', member, wantsVote: random.chance(0.5), replacesId: random.chance(0.3) ? 1 + random.below(4) : undefined };
    }
    case 1:
      return { type: 'promote', id };
    case 2:
      return { type: 'remove', id };
    default:
      return { type: 'replace', id, oldId: 1 + random.below(4) };
  }
}

function anyInit(random: SeededRandom): Command {
  const uidsPerSection = random.pick([1, 10, 1000]);
  const members = Array.from({ length: random.below(4) }, (_, at) => ({
    id: 1 + at,
    name: `s${at}`,
    nodeUuid: String(at).repeat(32),
    peerAddress: `p${at}:1`,
    address: `h${at}:1`,
  }));
  return {
    ...INIT,
    geometry: { firstUid: 0n, lastUid: BigInt(random.below(700)), uidsPerSection },
    members,
    raiseBy: random.pick([1n, 100n, 2n ** 62n, 2n ** 63n - 1n]),
  };
}
