import { Handlers, type Service } from '../../../src/rpc/server.js';
import { VirtualClock } from '../../unit/virtual-clock.js';
import { Call, type Method, noBugs } from '../calls.js';
import { unpackFrames } from '../frames.js';
import { StageNode } from '../stage-node.js';
import { settled } from '../settled.js';
import type { Fed } from '../target.js';

/** How long each call has, in ms of the stage's clock. */
const CALL_MS = 1_000;

/** What the services of a StoreSvr stand on. */
export interface StoreStage {
  readonly node: StageNode;
  readonly clock: VirtualClock;
  readonly handlers: Handlers;
}

/** Feeds calls to services on a leading StoreSvr without Raft, one after the other, or two at once where a frame says so. */
export async function feedCalls(input: Uint8Array, methods: readonly Method[], make: (stage: StoreStage) => readonly Service[]): Promise<Fed> {
  const bugs = noBugs();
  const clock = new VirtualClock();
  const node = new StageNode();
  const handlers = new Handlers({ clock, onBug: bugs.onBug, routingVersion: () => node.state.version });
  const services = make({ node, clock, handlers });
  const calls: Call[] = [];
  for (const { kind, payload } of unpackFrames(input)) {
    const method = methods[kind % methods.length];
    if (method === undefined) continue;
    calls.push(new Call(services, method, { bytes: payload, deadline: new Date(clock.wallMs() + CALL_MS) }));
    // A request may come while the one before still waits for its quorum, and mostly does not.
    if (kind < 128) await settled();
  }
  await settled();
  // Whoever still waits is told when its time is over.
  clock.advance(CALL_MS);
  await settled();
  bugs.check();
  node.watch.end({ isThorough: input.length % 8 === 0 });
  return calls.map(({ outcome }) => outcome);
}
