import { SeqClient } from '../../../../src/client/client.js';
import { countOf, type Uids, uidAt } from '../uids.js';

const FRAME = 1_000;
/** Frames that are under way at once. */
const FRAMES = 8;

/** Takes one number for each of these uids, `times` times over. Rejects when any of them got none. */
export async function touch({
  endpoints,
  uids,
  times,
}: {
  readonly endpoints: readonly string[];
  readonly uids: Uids;
  readonly times: number;
}): Promise<void> {
  const client = await SeqClient.connect({ endpoints });
  const count = countOf(uids);
  let place = 0;
  const caller = async (): Promise<void> => {
    while (place < count * times) {
      const frame: number[] = [];
      for (; frame.length < FRAME && place < count * times; place += 1) frame.push(uidAt(uids, place % count));
      for (const item of await client.nextMany(frame)) if (typeof item !== 'bigint') throw item;
    }
  };
  try {
    await Promise.all(Array.from({ length: FRAMES }, caller));
  } finally {
    await client.close();
  }
}
