import { SeqClient } from '../../../../src/client/client.js';
import type { Driver } from './driver.js';

/** Our own client, as an application has it. `frame` above 1: nextMany of so many uids. */
export async function openSeqsvr({ endpoints, frame }: { readonly endpoints: readonly string[]; readonly frame: number }): Promise<Driver> {
  const client = await SeqClient.connect({ endpoints });
  const nextMany = async (draw: () => number): Promise<void> => {
    const uids: number[] = [];
    for (let at = 0; at < frame; at += 1) uids.push(draw());
    for (const item of await client.nextMany(uids)) if (typeof item !== 'bigint') throw item;
  };
  return {
    opsPerCall: frame,
    call: frame === 1 ? (draw) => client.next(draw()) : nextMany,
    close: () => client.close(),
  };
}
