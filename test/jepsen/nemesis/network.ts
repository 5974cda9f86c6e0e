import type { SeededRandom } from '../../unit/seeded-random.js';
import type { Way } from '../proxy.js';
import { pause } from '../until.js';
import { OUTSIDE, type WireCounts } from '../wires.js';
import { LEASE_MS, type World } from '../world.js';
import type { Nemesis, Strike } from './nemesis.js';

type Pair = readonly [one: string, other: string];

/** Six shapes, each of them cut both ways or one way. */
export const partition: Nemesis = {
  name: 'partition',
  needs: ['proxy'],
  async strike(world, random) {
    const shape = random.pick(SHAPES);
    const pairs = shape.pairs(world, random);
    // A ring of three is one only when it is cut one way: else all would be cut from all.
    const isOneWay = shape.isOneWay?.(world) ?? random.chance(0.5);
    const isTurned = random.chance(0.5);
    const ways = pairs.flatMap(([one, other]): Way[] => {
      const [there, back] = [
        { from: one, to: other },
        { from: other, to: one },
      ];
      return isOneWay ? [isTurned ? back : there] : [there, back];
    });
    const durationMs = lasting(random);
    return during(world, {
      what: `${shape.name}${isOneWay ? ', one way' : ''}, ${ways.length} links for ${durationMs} ms: ${show(ways)}`,
      durationMs,
      begin: () => world.wires.cut(ways),
      proof: ({ cut }) => (cut > 0 ? `${cut} packets dropped` : undefined),
    });
  },
};

/** Some percent of all packets of some nodes are lost. */
export const loss: Nemesis = {
  name: 'loss',
  needs: ['namespaces'],
  async strike(world, random) {
    const names = some(world.nodes, random);
    const percent = 1 + random.below(30);
    const durationMs = lasting(random);
    return during(world, {
      what: `${percent} % loss at ${names.join(' ')} for ${durationMs} ms`,
      durationMs,
      begin: async () => names.forEach((name) => world.wires.lose(name, percent)),
      proof: ({ lost }) => (lost > 0 ? `${lost} packets lost` : undefined),
    });
  },
};

/** What comes to some nodes comes late, with jitter. */
export const delay: Nemesis = {
  name: 'delay',
  needs: ['proxy'],
  async strike(world, random) {
    const names = some(world.nodes, random);
    const min = random.below(100);
    const max = min + random.below(random.chance(0.3) ? 2_000 : 200);
    const durationMs = lasting(random);
    return during(world, {
      what: `${min} to ${max} ms delay to ${names.join(' ')} for ${durationMs} ms`,
      durationMs,
      begin: async () => void (await Promise.all(names.map((name) => world.wires.disturb(name, { delayMs: { min, max } })))),
      proof: ({ delayed }) => (delayed > 0 ? `${delayed} pieces came late` : undefined),
    });
  },
};

/** Connections end in the middle of a message, by an orderly end or a reset, again and again. */
export const cutConnections: Nemesis = {
  name: 'cut',
  needs: ['proxy'],
  async strike(world, random) {
    const names = some(world.nodes, random);
    const cutAfterBytes = 100 + random.below(4_000);
    const isReset = random.chance(0.5);
    const durationMs = lasting(random);
    return during(world, {
      what: `connections to ${names.join(' ')} ${isReset ? 'reset' : 'ended'} within ${cutAfterBytes} bytes, for ${durationMs} ms`,
      durationMs,
      begin: async () => void (await Promise.all(names.map((name) => world.wires.disturb(name, { cutAfterBytes, isReset })))),
      proof: ({ ended }) => (ended > 0 ? `${ended} connections cut` : undefined),
    });
  },
};

interface Shape {
  readonly name: string;
  pairs(world: World, random: SeededRandom): readonly Pair[];
  isOneWay?(world: World): boolean | undefined;
}

const SHAPES: readonly Shape[] = [
  {
    name: 'one isolated',
    pairs: ({ nodes }, random) => {
      const one = random.pick(nodes);
      const others = [...nodes.filter((name) => name !== one), ...(random.chance(0.5) ? [OUTSIDE] : [])];
      return others.map((other): Pair => [one, other]);
    },
  },
  { name: 'halves', pairs: ({ nodes }, random) => across(nodes.filter(isLeft(random)), nodes) },
  {
    name: 'ring of majorities',
    pairs: ({ stores }) =>
      stores.length < 5 ? stores.map((one, at): Pair => [one, next(stores, at, 1)]) : stores.map((one, at): Pair => [one, next(stores, at, 2)]),
    isOneWay: ({ stores }) => (stores.length < 5 ? true : undefined),
  },
  {
    name: 'bridge',
    pairs: ({ stores, nodes }, random) => {
      const bridge = random.pick(stores);
      const rest = nodes.filter((name) => name !== bridge);
      return across(rest.filter(isLeft(random)), rest);
    },
  },
  {
    name: 'AllocSvrs from stores',
    pairs: ({ stores, allocs }, random) => some(allocs, random).flatMap((alloc) => stores.map((store): Pair => [alloc, store])),
  },
  { name: 'clients from AllocSvrs', pairs: ({ allocs }, random) => some(allocs, random).map((alloc): Pair => [OUTSIDE, alloc]) },
];

/** Begins, waits, heals, and looks at what the wires counted meanwhile. */
async function during(
  world: World,
  options: {
    readonly what: string;
    readonly durationMs: number;
    readonly begin: () => Promise<void>;
    readonly proof: (counts: WireCounts) => string | undefined;
  },
): Promise<Strike> {
  const before = await world.wires.counts();
  await options.begin();
  await pause(options.durationMs);
  await world.wires.heal();
  const after = await world.wires.counts();
  const counted = {
    cut: after.cut - before.cut,
    lost: after.lost - before.lost,
    delayed: after.delayed - before.delayed,
    ended: after.ended - before.ended,
  };
  return { what: options.what, proof: options.proof(counted) };
}

function lasting(random: SeededRandom): number {
  return Math.round(LEASE_MS * (0.5 + random.below(250) / 100));
}

/** At least one. */
function some(names: readonly string[], random: SeededRandom): readonly string[] {
  const chosen = names.filter(() => random.chance(0.5));
  return chosen.length > 0 ? chosen : [random.pick(names)];
}

function isLeft(random: SeededRandom): () => boolean {
  return () => random.chance(0.5);
}

/** Every pair with one end on the left and the other not. With one side empty: the first alone. */
function across(left: readonly string[], all: readonly string[]): readonly Pair[] {
  const side = left.length === 0 || left.length === all.length ? all.slice(0, 1) : left;
  return side.flatMap((one) => all.filter((other) => !side.includes(other)).map((other): Pair => [one, other]));
}

function next(names: readonly string[], at: number, step: number): string {
  const name = names[(at + step) % names.length];
  if (name === undefined) throw new Error('a ring has nodes');
  return name;
}

function show(ways: readonly Way[]): string {
  const shown = ways.slice(0, 4).map(({ from, to }) => `${from}>${to}`);
  return `${shown.join(' ')}${ways.length > shown.length ? ' ...' : ''}`;
}
