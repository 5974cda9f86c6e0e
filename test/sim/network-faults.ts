import type { SeededRandom } from '../unit/seeded-random.js';
import type { SimCluster } from './cluster.js';

interface Cut {
  readonly from: string;
  readonly to: string;
}

/** Partitions of all shapes, and links that are slow. */
export class NetworkFaults {
  readonly #cluster: SimCluster;
  /** In force now. */
  #cuts: Cut[] = [];

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  get isWhole(): boolean {
    return this.#cuts.length === 0;
  }

  healAll(): void {
    this.#cuts = [];
    this.#cluster.net.healAll();
  }

  /** Some machines cannot reach some others, both ways or one way; the shape comes from who is on which side. */
  partition(random: SeededRandom, forMs: number, bothWays: boolean): boolean {
    const { left, right } = this.#sides(random);
    const cuts = left.flatMap((from) => right.map((to) => ({ from, to })));
    const all = bothWays ? [...cuts, ...cuts.map(({ from, to }) => ({ from: to, to: from }))] : cuts;
    this.#cutFor(all, forMs);
    return all.length > 0;
  }

  /** What StoreSvrs answer comes late, and then nothing comes any more: a lease that counted from the answer would be too long. */
  lateReplies(name: string, slow: { readonly byMs: number; readonly forMs: number }): boolean {
    const { net, world, stores, options } = this.#cluster;
    for (const store of stores) net.slow(store.name, name, slow);
    world.after(slow.forMs, `${name} is cut off from the stores`, () => {
      const away = stores.map((store) => ({ from: name, to: store.name }));
      const back = stores.map((store) => ({ from: store.name, to: name }));
      this.#cutFor([...away, ...back], options.leaseMs * 2 + 1_000);
    });
    return true;
  }

  #cutFor(cuts: readonly Cut[], forMs: number): void {
    const { net, world } = this.#cluster;
    for (const { from, to } of cuts) net.cut(from, to);
    this.#cuts.push(...cuts);
    world.after(forMs, 'partition heals', () => {
      const inForce = new Set(this.#cuts);
      for (const cut of cuts) if (inForce.delete(cut)) net.heal(cut.from, cut.to);
      this.#cuts = [...inForce];
    });
  }

  #sides(random: SeededRandom): { readonly left: readonly string[]; readonly right: readonly string[] } {
    const { stores, allocs, clients } = this.#cluster;
    const namesOf = (hosts: readonly { readonly name: string }[]): string[] => hosts.map(({ name }) => name);
    const everybody = namesOf([...stores, ...allocs, ...clients]);
    const shape = random.below(5);
    const one = random.pick(everybody);
    if (shape === 0) return { left: [one], right: everybody.filter((name) => name !== one) };
    if (shape === 1) return { left: namesOf(stores), right: [random.pick(allocs).name] };
    if (shape === 2) return { left: namesOf(clients), right: [random.pick(allocs).name] };
    const left = everybody.filter(() => random.chance(0.5));
    const right = everybody.filter((name) => !left.includes(name));
    // A bridge: one machine still reaches both sides.
    return shape === 3 ? { left: left.filter((name) => name !== one), right: right.filter((name) => name !== one) } : { left, right };
  }
}
