import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { SectionId } from '../model/ids.js';
import type { Turns } from './turns.js';
import type { AllocNode, Ask, Confirmed, Patience, Taken } from './node.js';

export type Item = Taken | SeqError;

/** Uids of one batch that are served in one turn, a ms at most; the rest in the next ones, so that others get their turn between them. */
export const BATCH_UIDS_PER_TURN = 1_000;

/**
 * One number for each ask, in the order asked; a refused one is its error. One reading of the clock serves all that are
 * answered at once. Where a window is empty the asks of one section wait one after another, so that a large batch never
 * takes more than one place a section in the queue, and repeated uids keep their order.
 */
export function nextMany(options: {
  readonly node: AllocNode;
  readonly clock: Clock;
  readonly asks: readonly (Ask | SeqError)[];
  readonly patience: Patience;
  /** For a STRICT call. */
  readonly confirmed?: Confirmed | undefined;
}): Item[] | Promise<Item[]> {
  const { node, clock, asks, patience, confirmed } = options;
  const now = clock.now();
  const refusal = node.refusalAt(now);
  const items: (Item | undefined)[] = [];
  const waiting = new Map<SectionId, number[]>();
  // A section that is not ours refuses all its uids for one reason: one error is enough, and errors cost much.
  const refusals = new Map<SectionId, SeqError>();
  for (const [index, ask] of asks.entries()) {
    const item = ask instanceof SeqError ? ask : (refusal ?? refusals.get(ask.section) ?? outcomeOf(() => node.tryNext(ask, now, confirmed)));
    items.push(item);
    if (ask instanceof SeqError) continue;
    if (item === undefined) pushTo(waiting, ask.section, index);
    // Only an open section looks at a counter, and may refuse one uid and serve the next.
    else if (item instanceof SeqError && node.at(ask.section)?.isOpen !== true) refusals.set(ask.section, item);
  }
  if (waiting.size === 0) return items.map(settled);
  return Promise.all([...waiting.values()].map((indexes) => waitForEach({ node, asks, patience, confirmed, indexes, items }))).then(() =>
    items.map(settled),
  );
}

/** The same for a batch of any size, a piece of it in a turn: each by its own reading of the clock, one after the other. Throws ABORTED when its caller is gone. */
export async function nextManyInTurns({ turns, asks, ...options }: Parameters<typeof nextMany>[0] & { readonly turns: Turns }): Promise<Item[]> {
  const items: Item[] = [];
  for (let from = 0; from < asks.length; from += BATCH_UIDS_PER_TURN) {
    if (from > 0) await new Promise<void>((resolve) => turns.next(resolve));
    if (options.patience.isCancelled())
      throw new SeqError('ABORTED', `the caller went away after ${from} of ${asks.length} uids`, { definite: false });
    items.push(...(await nextMany({ ...options, asks: asks.slice(from, from + BATCH_UIDS_PER_TURN) })));
  }
  return items;
}

async function waitForEach(options: {
  readonly node: AllocNode;
  readonly asks: readonly (Ask | SeqError)[];
  readonly patience: Patience;
  readonly confirmed: Confirmed | undefined;
  readonly indexes: readonly number[];
  readonly items: (Item | undefined)[];
}): Promise<void> {
  const { node, asks, patience, confirmed, indexes, items } = options;
  for (const index of indexes) {
    const ask = asks[index];
    if (ask === undefined || ask instanceof SeqError) continue;
    try {
      items[index] = await node.next(ask, patience, confirmed);
    } catch (error) {
      if (!SeqError.is(error)) throw error;
      items[index] = error;
    }
  }
}

function outcomeOf(take: () => Taken | undefined): Item | undefined {
  try {
    return take();
  } catch (error) {
    if (SeqError.is(error)) return error;
    throw error;
  }
}

function pushTo(lists: Map<SectionId, number[]>, section: SectionId, index: number): void {
  const list = lists.get(section);
  if (list === undefined) lists.set(section, [index]);
  else list.push(index);
}

function settled(item: Item | undefined): Item {
  assert(item !== undefined, 'every ask of a batch has an outcome');
  return item;
}
