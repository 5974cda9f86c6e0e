import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { SectionId } from '../model/ids.js';
import type { AllocNode, Ask, Confirmed, Patience, Taken } from './node.js';

export type Item = Taken | SeqError;

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
