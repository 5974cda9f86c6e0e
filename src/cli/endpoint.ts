import { systemClock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { ChannelPool } from '../rpc/channel-pool.js';
import { quietGrpc } from '../rpc/server.js';
import { wireOf } from './dial.js';
import { HASH_COLUMNS, HashComparison } from './endpoint-hash.js';
import { type EndpointLine, endpointLine, HEALTH_COLUMNS, STATUS_COLUMNS } from './endpoint-view.js';
import { EXIT } from './exit.js';
import { exitOfHealth, healthOfAll } from './health.js';
import { ATTEMPT_LIMIT_MS, askAll, inspectCluster } from './inspect.js';
import { type Voices, withMembers } from './member-session.js';
import type { ConnectionArgs } from './options.js';
import { print } from './output.js';
import { type Column, renderTable } from './table.js';

/** Between two looks at the digests of stores, in ms. */
const LOOK_EVERY_MS = 100;
/** Looks at most: stores that apply without a pause may never be seen at one index. */
const LOOKS_MAX = 20;

export interface EndpointArgs extends ConnectionArgs {
  /** Ask every node of the cluster, not only the endpoints given. */
  readonly isWhole: boolean;
}

/** `seqctl endpoint health`: one word for each endpoint, with the reason. */
export function endpointHealth(args: EndpointArgs, voices: Voices): Promise<number> {
  return ask(args, voices, { kind: 'EndpointHealth', columns: HEALTH_COLUMNS });
}

/** `seqctl endpoint status`: what each endpoint says of itself. */
export function endpointStatus(args: EndpointArgs, voices: Voices): Promise<number> {
  return ask(args, voices, { kind: 'EndpointStatus', columns: STATUS_COLUMNS });
}

/** `seqctl endpoint hash`: do all stores hold the same state? Exit code 4 when two differ, 3 when they could not be compared. */
export function endpointHash(args: ConnectionArgs, voices: Voices): Promise<number> {
  return withMembers(args, voices, async ({ finder }) => {
    const comparison = new HashComparison();
    for (let look = 0; look < LOOKS_MAX && finder.leftMs > 0; look += 1) {
      comparison.add(await finder.search());
      if (comparison.lines.length > 1 && comparison.lines.every(({ verdict }) => verdict !== 'alone')) break;
      await finder.pause(LOOK_EVERY_MS);
    }
    const { lines } = comparison;
    print(voices.output, args.output, { kind: 'EndpointHash', body: { endpoints: lines }, table: renderTable(HASH_COLUMNS, lines, args.output) });
    if (lines.some(({ verdict }) => verdict === 'differs')) {
      voices.output.talk('two stores hold different states at one index: one of them is damaged, see OPERATIONS.md');
      return EXIT.unhealthy;
    }
    if (lines.every(({ verdict }) => verdict === 'same')) return EXIT.ok;
    voices.output.talk('some stores were never seen at one index with another; when they apply without a pause, try again');
    return EXIT.unreachable;
  });
}

/** Every endpoint is asked by itself: one that is dead says nothing of the others. */
async function ask(
  args: EndpointArgs,
  { output }: Voices,
  how: { readonly kind: string; readonly columns: readonly Column<EndpointLine>[] },
): Promise<number> {
  quietGrpc();
  const pool = new ChannelPool({ clock: systemClock, wire: wireOf(args) });
  try {
    const endpoints = args.isWhole ? await everyNode(args, pool) : args.endpoints;
    const timeoutMs = args.isTimeoutGiven ? args.timeoutMs : ATTEMPT_LIMIT_MS;
    const asked = await Promise.all(
      endpoints.map(async (endpoint) => {
        const begunMs = systemClock.nowMs();
        const [answer] = await askAll([endpoint], { pool, clock: systemClock, timeoutMs });
        if (answer === undefined) throw new SeqError('PROTOCOL', `no answer of ${endpoint}, and no error either`);
        return { code: answer.code, line: endpointLine(answer, systemClock.nowMs() - begunMs) };
      }),
    );
    const lines = asked.map(({ line }) => line);
    const health = healthOfAll(lines.map((line) => line.health));
    print(output, args.output, { kind: how.kind, body: { health, endpoints: lines }, table: renderTable(how.columns, lines, args.output) });
    // Who may not ask has learnt nothing of anybody's health.
    const isDenied = asked.some(({ code }) => code === 'UNAUTHENTICATED' || code === 'PERMISSION_DENIED');
    return isDenied ? EXIT.denied : exitOfHealth(health);
  } finally {
    pool.close();
  }
}

async function everyNode(args: EndpointArgs, pool: ChannelPool): Promise<string[]> {
  const { answers } = await inspectCluster(args.endpoints, { pool, clock: systemClock, timeoutMs: args.timeoutMs });
  return answers.map(({ address }) => address);
}
