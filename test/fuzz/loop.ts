import { inspect } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SeededRandom } from '../unit/seeded-random.js';
import { INPUT_BYTES_MAX, mutate, noise } from './mutate.js';
import type { Fed, Outcome, Target } from './target.js';

/** Memory that may stay behind after a run, heap and buffers together: more of it is a leak. */
export const GROWTH_MAX_BYTES = 32 * 2 ** 20;
/** Memory in use during a run, heap and buffers together, after a collection. */
export const IN_USE_MAX_BYTES = 384 * 2 ** 20;
const MEMORY_CHECK_EVERY = 512;
/** Inputs before memory is first measured: what is made once is there by then. */
const WARM_UP = 1_000;
/** Inputs that came to something new, kept to be changed further. */
const CORPUS_MAX = 400;
const SEEDS = 40;
/** By how much outcomes are told apart: what follows mostly quotes the input. */
const NAME_CHARS_MAX = 200;
const NAME_WORDS_MAX = 12;
/** Different outcomes that are told apart; more are not counted. */
const OUTCOMES_MAX = 5_000;
/** Tries to make a finding smaller. */
const SHRINK_TRIES_MAX = 1_500;

export interface RunOptions {
  readonly seed: number;
  readonly inputs: number;
  readonly seconds: number;
}

export interface Finding {
  readonly target: string;
  readonly seed: number;
  /** Which input of the run, from 1; 0: it was replayed. */
  readonly number: number;
  readonly kind: 'error' | 'hang' | 'memory' | 'died';
  readonly input: Uint8Array;
  readonly what: string;
}

export interface Report {
  readonly target: string;
  readonly seed: number;
  readonly inputs: number;
  readonly seconds: number;
  /** Inputs that were taken, as opposed to refused. */
  readonly acceptedCount: number;
  /** Inputs by outcome, numbers and values cut out. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly slowestMs: number;
  readonly growthBytes: number;
  readonly findings: readonly Finding[];
}

/** Told before each input, so that one that never ends is known. */
export type OnInput = (input: Uint8Array, number: number) => void;

const collect = gc();

/**
 * Makes inputs from one seed, feeds them, and keeps those that come to something new to change them further. Ends with the
 * first finding. The same seed makes the same inputs, as long as the target gives the same outcomes.
 */
export async function fuzz(target: Target, { seed, inputs, seconds }: RunOptions, onInput: OnInput): Promise<Report> {
  const random = new SeededRandom(seed);
  const corpus = Array.from({ length: SEEDS }, () => target.generate(random));
  const outcomes = new Map<string, number>();
  const beganMs = performance.now();
  let [number, acceptedCount, slowestMs, firstBytes, finding] = [0, 0, 0, 0, undefined as Finding | undefined];
  while (finding === undefined && number < inputs && (number % 16 !== 0 || performance.now() - beganMs < seconds * 1_000)) {
    number += 1;
    const input = number <= SEEDS ? (corpus[number - 1] ?? new Uint8Array()) : nextInput(target, corpus, random);
    onInput(input, number);
    const sinceMs = performance.now();
    let fed: Fed;
    try {
      const feeding = target.feed(input);
      fed = feeding instanceof Promise ? await feeding : feeding;
    } catch (error) {
      finding = { target: target.name, seed, number, kind: 'error', input: await shrunk(target, input, error, onInput), what: textOf(error) };
      break;
    }
    slowestMs = Math.max(slowestMs, performance.now() - sinceMs);
    const steps = typeof fed === 'string' ? [fed] : fed;
    if (steps.some((outcome) => outcome.startsWith('ok'))) acceptedCount += 1;
    if (count(outcomes, steps)) keep(corpus, input, random);
    if (number === WARM_UP) firstBytes = collected();
    if (number % MEMORY_CHECK_EVERY === 0 && inUse() > IN_USE_MAX_BYTES && collected() > IN_USE_MAX_BYTES)
      finding = {
        target: target.name,
        seed,
        number,
        kind: 'memory',
        input,
        what: `${inUse()} bytes in use after a collection, at most ${IN_USE_MAX_BYTES}`,
      };
  }
  const growthBytes = number > WARM_UP ? collected() - firstBytes : 0;
  if (finding === undefined && growthBytes > GROWTH_MAX_BYTES)
    finding = {
      target: target.name,
      seed,
      number,
      kind: 'memory',
      input: new Uint8Array(),
      what: `${growthBytes} bytes stayed behind after ${number} inputs`,
    };
  const findings = finding === undefined ? [] : [finding];
  return {
    target: target.name,
    seed,
    inputs: number,
    seconds: (performance.now() - beganMs) / 1_000,
    acceptedCount,
    outcomes,
    slowestMs,
    growthBytes,
    findings,
  };
}

/** Feeds one input; the finding that it is, if it is one. */
export async function replay(target: Target, input: Uint8Array, onInput: OnInput): Promise<Outcome | Finding> {
  onInput(input, 0);
  try {
    return [await target.feed(input)].flat().join('; ');
  } catch (error) {
    return { target: target.name, seed: 0, number: 0, kind: 'error', input, what: textOf(error) };
  }
}

function nextInput(target: Target, corpus: readonly Uint8Array[], random: SeededRandom): Uint8Array {
  const dice = random.below(100);
  if (dice < 12) return target.generate(random).subarray(0, INPUT_BYTES_MAX);
  if (dice < 15) return noise(random, random.below(200));
  return mutate(random.pick(corpus), { shape: target.shape, random, other: random.pick(corpus) });
}

/** True: one of them never came before. */
function count(outcomes: Map<string, number>, steps: readonly Outcome[]): boolean {
  let isNew = false;
  for (const step of steps) {
    const name = nameOf(step);
    const known = outcomes.get(name);
    if (known === undefined && outcomes.size >= OUTCOMES_MAX) continue;
    isNew ||= known === undefined;
    outcomes.set(name, (known ?? 0) + 1);
  }
  return isNew;
}

function keep(corpus: Uint8Array[], input: Uint8Array, random: SeededRandom): void {
  if (corpus.length < CORPUS_MAX) corpus.push(input);
  else corpus[random.below(corpus.length)] = input;
}

/** The same failure with less input, as far as a while of trying gets. */
async function shrunk(target: Target, input: Uint8Array, error: unknown, onInput: OnInput): Promise<Uint8Array> {
  const wanted = nameOf(textOf(error).split('\n')[0] ?? '');
  let smallest = input;
  let tries = 0;
  for (let size = Math.ceil(input.length / 2); size >= 1 && tries < SHRINK_TRIES_MAX; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < smallest.length && tries < SHRINK_TRIES_MAX; tries += 1) {
      const smaller = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + size)]);
      const again = await replay(target, smaller, onInput);
      if (typeof again !== 'string' && nameOf(again.what.split('\n')[0] ?? '') === wanted) smallest = smaller;
      else at += size;
    }
  }
  return smallest;
}

/** An outcome without what differs from one input to the next: values, and every word that has one in it. */
export function nameOf(outcome: string): string {
  return outcome
    .slice(0, NAME_CHARS_MAX)
    .replaceAll(/'[^']*'|"[^"]*"/g, '#')
    .replaceAll(/\b[0-9a-f]{8,}\b|\d+|[^\x20-\x7e]+/g, '#')
    .replaceAll(/\S*#\S*|\S{25,}/g, '#')
    .split(' ')
    .slice(0, NAME_WORDS_MAX)
    .join(' ');
}

export function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? String(error)) : `thrown: ${inspect(error)}`;
}

function inUse(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function collected(): number {
  collect();
  return inUse();
}

/** V8's own collector, which has no other door. */
function gc(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
