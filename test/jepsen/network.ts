import { execFileSync } from 'node:child_process';
import { messageOf } from '../../src/base/errors.js';

/** The side of a node that a cut is on: what comes in from the peer, what goes out to it, or both. */
export type Way = 'in' | 'out' | 'both';

/**
 * Network namespaces of this machine, one for each place, joined by a bridge: the test itself lives at the bridge. Every
 * connection between two places can be cut, in one direction too, without either end hearing of it.
 */
export class Network {
  readonly #tag: string;
  readonly #places = new Map<string, number>();
  readonly #subnet: string;

  private constructor(tag: string) {
    this.#tag = tag;
    this.#subnet = `10.${200 + (process.pid % 40)}.${process.pid % 250}`;
  }

  /** Why there can be no network namespaces here; undefined when there can. */
  static whyNot(): string | undefined {
    try {
      for (const tool of ['ip', 'nft']) execFileSync(tool, ['-V'], { stdio: 'ignore' });
      execFileSync('ip', ['netns', 'add', `sqp${process.pid}`], { stdio: 'pipe' });
      execFileSync('ip', ['netns', 'del', `sqp${process.pid}`], { stdio: 'pipe' });
      return undefined;
    } catch (error) {
      return `network namespaces are not to be had here (root, iproute2 and nftables are needed): ${messageOf(error).split('\n', 1)[0]}`;
    }
  }

  /** `names`: the places, at most 200. */
  static create(names: readonly string[]): Network {
    const network = new Network(`sq${process.pid}`);
    try {
      network.#build();
      for (const name of names) network.add(name);
      return network;
    } catch (error) {
      network.dispose();
      throw error;
    }
  }

  /** One more place. */
  add(place: string): void {
    const number = this.#places.size + 2;
    this.#places.set(place, number);
    const [namespace, port] = [this.#namespaceOf(place), `${this.#tag}v${number}`];
    run(['ip', 'netns', 'add', namespace]);
    run(['ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace]);
    run(['ip', 'link', 'set', port, 'master', this.#tag, 'up']);
    run(['ip', '-n', namespace, 'addr', 'add', `${this.hostOf(place)}/24`, 'dev', 'eth0']);
    for (const device of ['eth0', 'lo']) run(['ip', '-n', namespace, 'link', 'set', device, 'up']);
    this.#nft(place, RULES);
  }

  has(place: string): boolean {
    return this.#places.has(place);
  }

  /** Where the test itself is. */
  get outside(): string {
    return `${this.#subnet}.1`;
  }

  hostOf(place: string): string {
    return `${this.#subnet}.${this.#numberOf(place)}`;
  }

  /** What to put before a command so that it runs in that place. */
  prefixOf(place: string): readonly string[] {
    return ['ip', 'netns', 'exec', this.#namespaceOf(place)];
  }

  /** From now on packets between a place and a peer (another place, or `outside`) are dropped, on the side of the place. */
  cut(place: string, peer: string, way: Way): void {
    const host = peer === 'outside' ? this.outside : this.hostOf(peer);
    for (const side of ['in', 'out'] as const) if (way === side || way === 'both') this.#nft(place, `add element inet chaos ${side} { ${host} }`);
  }

  /** From now on so many percent of the packets that come to a place and leave it are lost, at random; in [1, 99]. */
  lose(place: string, percent: number): void {
    this.#nft(place, `add rule inet chaos loss numgen random mod 100 < ${percent} counter name lost drop`);
  }

  heal(place: string): void {
    this.#nft(place, 'flush set inet chaos in\nflush set inet chaos out\nflush chain inet chaos loss');
  }

  /** How many packets of a place were dropped since it was made: by cuts, and at random. */
  dropped(place: string): { readonly cut: number; readonly lost: number } {
    const listed = execFileSync('ip', ['netns', 'exec', this.#namespaceOf(place), 'nft', 'list', 'counters'], { encoding: 'utf8' });
    const count = (name: string): number => Number(new RegExp(`counter ${name} \\{\\s*packets (\\d+)`).exec(listed)?.[1] ?? 0);
    return { cut: count('cut'), lost: count('lost') };
  }

  dispose(): void {
    for (const place of this.#places.keys()) quietly(['ip', 'netns', 'del', this.#namespaceOf(place)]);
    quietly(['ip', 'link', 'del', this.#tag]);
  }

  #build(): void {
    run(['ip', 'link', 'add', this.#tag, 'type', 'bridge']);
    run(['ip', 'addr', 'add', `${this.outside}/24`, 'dev', this.#tag]);
    run(['ip', 'link', 'set', this.#tag, 'up']);
  }

  #nft(place: string, script: string): void {
    run([...this.prefixOf(place), 'nft', '-f', '-'], script);
  }

  #namespaceOf(place: string): string {
    return `${this.#tag}n${this.#numberOf(place)}`;
  }

  #numberOf(place: string): number {
    const number = this.#places.get(place);
    if (number === undefined) throw new Error(`no place is called ${place}`);
    return number;
  }
}

const RULES = `table inet chaos {
  counter cut { }
  counter lost { }
  set in { type ipv4_addr; }
  set out { type ipv4_addr; }
  chain loss { }
  chain input { type filter hook input priority 0; iifname "lo" accept; ip saddr @in counter name cut drop; jump loss; }
  chain output { type filter hook output priority 0; oifname "lo" accept; ip daddr @out counter name cut drop; jump loss; }
}`;

function run([command = '', ...args]: readonly string[], input = ''): void {
  execFileSync(command, args, { input, stdio: ['pipe', 'pipe', 'pipe'] });
}

/** What is not there need not be removed. */
function quietly(command: readonly string[]): void {
  try {
    run(command);
  } catch (error) {
    if (!/No such|Cannot find/.test(messageOf(error))) console.error(messageOf(error));
  }
}
