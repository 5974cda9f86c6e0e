import { createReadStream, existsSync } from 'node:fs';
import { every, systemClock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { ADVANCE_MAX } from '../alloc/counters.js';
import type { SeqClient } from '../client/client.js';
import { SEQ_MAX } from '../model/ids.js';
import { RANGE_COUNT_MAX } from '../rpc/limits.js';
import { EXIT } from './exit.js';
import { type Pair, pairsOf } from './import-pairs.js';
import { type RedisSource, redisPairs } from './import-redis.js';
import type { Voices } from './member-session.js';
import type { ConnectionArgs } from './options.js';
import { print } from './output.js';
import { connect } from './seq.js';
import { confirm } from './terminal.js';

/** Calls that are under way at once. */
const BATCH = 1_000;
/** A counter rises by at most 2^40 a step; further than so many steps nothing was ever counted, and a slip would burn numbers for good. */
const STEPS_MAX = 64;
const LIFT_MAX = ADVANCE_MAX * BigInt(STEPS_MAX);
/** Up to here the numbers in between are taken; further, the counter is advanced. */
const TAKEN_MAX = 4n * BigInt(RANGE_COUNT_MAX);
const EXAMPLES_MAX = 10;
const PROGRESS_EVERY_MS = 1_000;

export interface ImportArgs extends ConnectionArgs {
  readonly source: { readonly type: 'redis'; readonly redis: Omit<RedisSource, 'onIgnored'> } | { readonly type: 'lines'; readonly file: string };
  /** Added to each number: what the source may hand out until it is stopped. */
  readonly margin: bigint;
  /** apply: lift, then compare; shadow: compare; dry-run: read. */
  readonly mode: 'apply' | 'shadow' | 'dry-run';
  readonly isConfirmed: boolean;
}

/**
 * `seqctl import`: lifts the counter of each uid to what another system has handed out, forward only, and compares afterwards. Repeating it
 * is harmless. Exit code 1 when a counter stands below the number of the source: then a next number could be one that the source gave.
 */
export async function importCounters(args: ImportArgs, voices: Voices): Promise<number> {
  const { source, mode, margin } = args;
  const name = nameOf(args);
  if (mode === 'apply') {
    const consequence = `this lifts the counters of all uids in ${name}, forward only: it cannot be taken back`;
    await confirm({ consequence, word: `import`, isConfirmed: args.isConfirmed, flag: '--yes' }, voices);
  }
  await using client = await connect(args);
  const tally = new Tally();
  const stop = voices.terminal.isWatched ? every(systemClock, PROGRESS_EVERY_MS, () => voices.output.talk(tally.progress)) : () => undefined;
  try {
    const isOnce = source.type === 'lines' && source.file === '-';
    if (mode === 'apply') {
      tally.step = 'lifted';
      await inBatches(pairsFrom(args, tally), tally, async (pair) => {
        tally.highest(await lift(client, pair, margin));
        // What comes through a pipe comes once.
        if (isOnce) tally.compared(pair, (await client.current(pair.uid)).seq);
      });
    }
    if (!isOnce || mode !== 'apply') {
      tally.step = mode === 'dry-run' ? 'read' : 'compared';
      await inBatches(pairsFrom(args, tally), tally, async (pair) => {
        if (mode === 'dry-run') tally.highest(pair.seq);
        else tally.compared(pair, (await client.current(pair.uid)).seq);
      });
    }
  } catch (error) {
    throw SeqError.is(error) ? error.with({ message: `${error.message} (${tally.progress}; run it again: what was lifted stays)` }) : error;
  } finally {
    stop();
  }
  const body = { source: name, mode, margin, ...tally.result };
  print(voices.output, args.output, { kind: 'Import', body, table: tableOf(body) });
  return body.behindCount === 0 ? EXIT.ok : EXIT.failed;
}

/** What happened so far, and what stands below the source. */
class Tally {
  step: 'read' | 'lifted' | 'compared' = 'read';
  readonly #counts = { read: 0, lifted: 0, compared: 0 };
  #ignoredCount = 0;
  #ignoredKey: string | undefined;
  #highest = 0n;
  #behindCount = 0;
  readonly #behind: { readonly uid: bigint; readonly source: bigint; readonly current: bigint }[] = [];
  #leastAhead: bigint | undefined;

  done(): void {
    this.#counts[this.step] += 1;
  }

  ignored(key: string): void {
    // Of one pass: the second one meets the same keys.
    if (this.step === 'compared' && this.#counts.lifted > 0) return;
    this.#ignoredCount += 1;
    this.#ignoredKey ??= key;
  }

  highest(seq: bigint): void {
    if (seq > this.#highest) this.#highest = seq;
  }

  compared({ uid, seq: source }: Pair, current: bigint): void {
    const ahead = current - source;
    if (this.#leastAhead === undefined || ahead < this.#leastAhead) this.#leastAhead = ahead;
    this.highest(current);
    if (ahead >= 0n) return;
    this.#behindCount += 1;
    if (this.#behind.length < EXAMPLES_MAX) this.#behind.push({ uid, source, current });
  }

  get progress(): string {
    return `${this.#counts[this.step].toLocaleString('en-US')} uids ${this.step}`;
  }

  get result() {
    const { lifted, read, compared } = this.#counts;
    const ignored = { ignoredCount: this.#ignoredCount, ignoredExample: this.#ignoredKey };
    const uidCount = Math.max(lifted, read, compared);
    return { uidCount, ...ignored, highest: this.#highest, behindCount: this.#behindCount, behind: this.#behind, leastAhead: this.#leastAhead };
  }
}

function nameOf({ source }: ImportArgs): string {
  if (source.type === 'redis') return `redis at ${source.redis.host}:${source.redis.port}, keys ${source.redis.prefix}UID`;
  return source.file === '-' ? 'standard input' : source.file;
}

function pairsFrom({ source }: ImportArgs, tally: Tally): AsyncGenerator<Pair> {
  if (source.type === 'redis') return redisPairs({ ...source.redis, onIgnored: (key) => tally.ignored(key) });
  if (source.file === '-') return pairsOf(process.stdin, 'standard input');
  if (!existsSync(source.file)) throw new SeqError('INVALID_ARGUMENT', `there is no file ${source.file}`);
  return pairsOf(createReadStream(source.file), source.file);
}

/** Never more than one batch in memory, and its calls on their way at once. The first that fails is thrown when all of its batch are done. */
async function inBatches(pairs: AsyncGenerator<Pair>, tally: Tally, act: (pair: Pair) => Promise<void>): Promise<void> {
  let batch: Pair[] = [];
  const run = async (): Promise<void> => {
    const outcomes = await Promise.allSettled(batch.map(async (pair) => (await act(pair), tally.done())));
    batch = [];
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  };
  for await (const pair of pairs) if (batch.push(pair) === BATCH) await run();
  await run();
}

/** Returns where the counter stands then. Throws OUT_OF_RANGE when there is no such number, INVALID_ARGUMENT when it is too far away. */
async function lift(client: SeqClient, { uid, seq }: Pair, margin: bigint): Promise<bigint> {
  const to = seq + margin;
  if (to > SEQ_MAX) throw new SeqError('OUT_OF_RANGE', `uid ${uid}: ${seq} and a margin of ${margin} pass ${SEQ_MAX}`);
  let { seq: current } = await client.current(uid);
  if (to - current > LIFT_MAX)
    throw new SeqError(
      'INVALID_ARGUMENT',
      `uid ${uid} stands at ${current}, and an import lifts by at most ${LIFT_MAX}, got ${to}: is it a counter?`,
    );
  while (current < to)
    current = to - current > TAKEN_MAX ? await client.advance(uid, least(to, current + ADVANCE_MAX)) : await take(client, uid, to - current);
  return current;
}

/** Numbers that nobody is to have. They travel in the frames of all others, so that many uids are lifted in the time of one advance. */
async function take(client: SeqClient, uid: bigint, count: bigint): Promise<bigint> {
  const { last } = await client.nextRange(uid, Number(least(count, BigInt(RANGE_COUNT_MAX))));
  return last;
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}

function tableOf(body: Tally['result'] & { readonly source: string; readonly mode: ImportArgs['mode'] }): string {
  const { source, mode, uidCount, ignoredCount, ignoredExample, behindCount, behind, leastAhead, highest } = body;
  const lines = [`${uidCount.toLocaleString('en-US')} uids of ${source}; the highest number is ${highest}`];
  if (ignoredCount > 0) lines.push(`${ignoredCount} keys are no counters of uids and were passed over, such as ${ignoredExample}`);
  if (mode === 'dry-run') lines.push('nothing was changed');
  else if (behindCount === 0) lines.push(`NO OVERLAP: every counter stands at or above its number in the source, by ${leastAhead ?? 0n} at least`);
  else lines.push(`OVERLAP: ${behindCount.toLocaleString('en-US')} counters stand below the source; stop its writers, and run the import again`);
  for (const { uid, source: seq, current } of behind) lines.push(`  uid ${uid}: ${seq} there, ${current} here`);
  return `${lines.join('\n')}\n`;
}
