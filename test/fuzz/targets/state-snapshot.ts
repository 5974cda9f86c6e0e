import { messageOf } from '../../../src/base/errors.js';
import { StateSnapshot } from '../../../src/rpc/gen/seqsvr/v1/log.js';
import { DamageError } from '../../../src/store/damage.js';
import { stateFrom } from '../../../src/store/records.js';
import { Replica } from '../../../src/store/replica.js';
import { recoverState } from '../../../src/store/recover-state.js';
import { tableFromWire, tableToWire } from '../../../src/rpc/codec.js';
import { memberFromWire } from '../../../src/store/command-codec.js';
import { INIT, run, TestReplica } from '../../unit/store/fixture.js';
import { randomCommand } from '../../unit/store/random-command.js';
import type { SeededRandom } from '../../unit/seeded-random.js';
import { mustHold, type Outcome, outcomeOf, type Target } from '../target.js';
import { hasSameRecords, isSameState } from '../watch-replica.js';

const SURVIVOR = memberFromWire({ id: 9, name: 's9', nodeUuid: '9'.repeat(32), peerAddress: 'p9:1', address: 'h9:1' });

/** What a snapshot stream brings, once its checksum is right; and what a disk holds, record by record. */
export const stateSnapshot: Target = {
  name: 'state-snapshot',
  about: 'the state in a snapshot, taken in, served and recovered by force (store/replica.ts, store/records.ts, store/recover-state.ts)',
  shape: { parts: 'one', payload: 'proto' },
  generate: (random) => stateOf(random).replica.snapshot(),
  feed(input) {
    const replica = new Replica(new Map(), () => undefined);
    const records = replica.parseSnapshot(input);
    if (records === undefined) return reasonOf(input);
    replica.restore(records);
    if (replica.state.cluster === undefined) return 'ok empty';
    const again = replica.parseSnapshot(replica.snapshot());
    mustHold(again !== undefined, 'a state that was taken in makes a snapshot that can be taken in');
    const other = new Replica(again, () => undefined);
    mustHold(isSameState(other, replica) && hasSameRecords(other, replica), 'a state that was taken in is the one that goes on');
    checkServed(replica);
    return recovered(replica);
  },
};

/** Why it was refused: nothing but a cause of the one error that stands for all. */
function reasonOf(input: Uint8Array): Outcome {
  let snapshot: StateSnapshot;
  try {
    snapshot = StateSnapshot.decode(input);
  } catch {
    return 'no message';
  }
  const records = new Map(snapshot.records.filter(({ key }) => key !== 'hash').map(({ key, value }) => [key, value]));
  try {
    stateFrom(records);
    return 'its hash, or a key twice';
  } catch (error) {
    const { cause } = refusedWith(error);
    return `DAMAGE ${messageOf(cause ?? error)}`;
  }
}

function refusedWith(error: unknown): DamageError {
  if (error instanceof DamageError) return error;
  throw error;
}

/** What clients and AllocSvrs are told of it must be something that they believe. */
function checkServed({ state }: Replica): void {
  const table = state.table();
  mustHold(table !== undefined, 'a cluster has a table');
  mustHold(outcomeOf(() => void tableFromWire(tableToWire(table))) === 'ok', 'a table that is served is one that clients take');
  for (const { id: allocId, incarnation } of state.allocs.slice(0, 4)) {
    state.windowsOf({ allocId, incarnation });
    state.incomingOf({ allocId, incarnation });
  }
  state.holdings();
}

function recovered(replica: Replica): Outcome {
  const outcome = outcomeOf(() => {
    const { generation } = replica.state.version;
    replica.amend({ index: 1, term: 1 }, (state) => recoverState(state, { generation: generation + 1, bump: 1_000n, member: SURVIVOR }));
    const { state } = replica;
    mustHold(
      state.sections.every(({ owner }) => owner === undefined),
      'nobody owns anything after a forced recovery',
    );
    mustHold(state.members.length === 1, 'one member is left after a forced recovery');
    return undefined;
  });
  return outcome === 'ok' ? 'ok taken and recovered' : `ok taken, ${outcome}`;
}

function stateOf(random: SeededRandom): TestReplica {
  const replica = new TestReplica();
  const member = (id: number) => ({ id, name: `s${id}`, nodeUuid: String(id).repeat(32), peerAddress: `p${id}:1`, address: `h${id}:1` });
  replica.run({ ...INIT, members: random.chance(0.5) ? [1, 2, 3].map(member) : [] });
  for (const id of [1, 2, 3]) replica.register(run(`a${id}`));
  for (let left = random.below(30); left > 0; left -= 1) replica.run(randomCommand(random.below(2 ** 31), replica.state, 1));
  return replica;
}
