import { assert } from '../base/assert.js';

/**
 * Which StoreSvr to ask next: the leader when one is known, otherwise the endpoints in turn. Shared by all calls of one
 * StoreClient, so news about an address that is no longer the target is ignored: another call knows better by now.
 */
export class LeaderFinder {
  /** Never empty. */
  #endpoints: readonly string[];
  #next: number;
  #leader: string | undefined;
  #lastConfirmed: string | undefined;

  /** `endpoints` holds at least one `host:port`; the search begins at index `start`. */
  constructor(options: { readonly endpoints: readonly string[]; readonly start: number }) {
    assert(options.endpoints.length > 0, 'a leader is searched among at least one endpoint');
    this.#endpoints = options.endpoints;
    this.#next = options.start % options.endpoints.length;
  }

  get target(): string {
    const target = this.#leader ?? this.#endpoints[this.#next];
    assert(target !== undefined, 'the next endpoint exists');
    return target;
  }

  /** Where the stores are now, as a routing table says. At least one. */
  learn(endpoints: readonly string[]): void {
    const target = this.target;
    this.#endpoints = endpoints;
    const at = endpoints.indexOf(target);
    this.#next = at === -1 ? 0 : at;
  }

  /** It answered as only a leader does. True when another one did so last. */
  confirm(address: string): boolean {
    const isNews = this.#lastConfirmed !== address;
    this.#lastConfirmed = address;
    this.#leader = address;
    return isNews;
  }

  /** `from` does not lead and names `to`. */
  redirect({ from, to }: { readonly from: string; readonly to: string }): void {
    if (from !== this.target) return;
    this.fail(from);
    this.#leader = to;
  }

  /** It does not lead, or does not answer. */
  fail(address: string): void {
    if (address !== this.target) return;
    this.#leader = undefined;
    // Were it the next in turn too, the search would stand still.
    if (address === this.#endpoints[this.#next]) this.#next = (this.#next + 1) % this.#endpoints.length;
  }
}
