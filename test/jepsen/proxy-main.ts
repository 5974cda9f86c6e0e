import { Proxy, type ProxyCounts, type ProxyFaults, type ProxyRoute } from './proxy.js';

/** What the test says to a proxy that runs in another place. */
export type ProxyOrder = { readonly id: number; readonly open?: ProxyRoute; readonly faults?: ProxyFaults };
/** Its answer. */
export interface ProxyAnswer {
  readonly id: number;
  readonly counts: ProxyCounts;
  readonly error?: string;
}

// A process of its own, in the network namespace of its place: `proxy-main.js PLACE`. It ends with the test. Ways are not told apart here: the packet filter does that.
const proxy = new Proxy({ place: process.argv[2] ?? '', sourceOf: () => '' });
// A Ctrl-C reaches the whole group; the test decides when this ends.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
process.on('message', (order: ProxyOrder) => {
  obey(order).then(
    () => answer({ id: order.id, counts: proxy.counts }),
    (error: unknown) => answer({ id: order.id, counts: proxy.counts, error: String(error) }),
  );
});

async function obey({ open, faults }: ProxyOrder): Promise<void> {
  if (open !== undefined) await proxy.open(open);
  if (faults !== undefined) proxy.apply(faults);
}

function answer(message: ProxyAnswer): void {
  process.send?.(message);
}
