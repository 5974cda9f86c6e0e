import { systemClock } from '../base/clock.js';
import { SeqClient } from '../client/client.js';
import { parseCount, parseUid } from '../model/ids.js';
import { RANGE_COUNT_MAX } from '../rpc/limits.js';
import { quietGrpc } from '../rpc/server.js';
import { wireOf } from './dial.js';
import { EXIT } from './exit.js';
import { knock } from './knock.js';
import type { ConnectionArgs } from './options.js';
import { isForPeople, type Output, print } from './output.js';

/** `seqctl seq next UID [-n N]`: prints a number, or `first..last`. In JSON `seq` is the last number handed out. */
export async function seqNext(args: ConnectionArgs & { readonly uid: string; readonly count: string | undefined }, output: Output): Promise<number> {
  const uid = parseUid(args.uid);
  const count = args.count === undefined ? undefined : parseCountText(args.count);
  await using client = await connect(args);
  if (count === undefined) {
    const seq = await client.next(uid);
    print(output, args.output, { kind: 'Sequence', body: { uid, seq }, table: `${seq}\n` });
  } else {
    const { first, last } = await client.nextRange(uid, count);
    print(output, args.output, { kind: 'Sequence', body: { uid, seq: last, first, last }, table: `${first}..${last}\n` });
  }
  return EXIT.ok;
}

/** `seqctl seq current UID`: the last number handed out, without handing one out. */
export async function seqCurrent(args: ConnectionArgs & { readonly uid: string }, output: Output): Promise<number> {
  const uid = parseUid(args.uid);
  await using client = await connect(args);
  const { seq, exact } = await client.current(uid);
  print(output, args.output, { kind: 'CurrentSequence', body: { uid, seq, exact }, table: `${seq}\n` });
  if (!exact && isForPeople(args.output)) output.talk('an upper bound: nothing was handed out for this uid since its section changed hands');
  return EXIT.ok;
}

/** A client for one command. */
export async function connect(args: ConnectionArgs): Promise<SeqClient> {
  quietGrpc();
  await knock(args, systemClock);
  return SeqClient.connect({ endpoints: args.endpoints, timeoutMs: args.timeoutMs, wire: wireOf(args) });
}

function parseCountText(text: string): number {
  return parseCount(/^-?\d{1,15}$/.test(text) ? Number(text) : text, RANGE_COUNT_MAX);
}
