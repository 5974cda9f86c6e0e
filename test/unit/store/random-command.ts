import { parseIncarnation, type Seq, type SectionId, toEpoch } from '../../../src/model/ids.js';
import type { AssignedRun, Caller, Command } from '../../../src/store/command.js';
import type { Section, StoreState } from '../../../src/store/state.js';
import { SeededRandom } from '../seeded-random.js';
import { INIT, MOTIVE, run } from './fixture.js';

/**
 * A command that fits the state as it is: most of them are right, the others miss by a little (an old run, an epoch too
 * low, a maximum outside the window, a term or a version that is over). The same seed and state make the same command.
 */
export function randomCommand(seed: number, state: StoreState, term: number): Command {
  const random = new SeededRandom(seed);
  const caller = (): Caller => run(`a${1 + random.below(4)}`, 1 + random.below(3));
  switch (
    random.pick([
      'register',
      'assign',
      'assign',
      'planMove',
      'raise',
      'raise',
      'release',
      'release',
      'member',
      'drain',
      'resume',
      'reportDeath',
      'removeAlloc',
      'init',
    ] as const)
  ) {
    case 'init':
      return { ...INIT, raiseBy: 7n };
    case 'member': {
      const id = 1 + random.below(3);
      return { type: 'member', id, name: `s${id}`, nodeUuid: String(random.below(2)).repeat(32), peerAddress: 'p:1', address: 'h:1' };
    }
    case 'register':
      return { type: 'register', ...caller(), address: `h:${random.below(3)}`, zone: random.pick(['', 'z1']) };
    case 'drain':
      return { type: 'drain', ...caller(), ...MOTIVE };
    case 'resume':
      return { type: 'resume', allocId: caller().allocId, ...MOTIVE };
    case 'reportDeath':
      return { type: 'reportDeath', ...caller(), ...MOTIVE };
    case 'removeAlloc':
      return { type: 'removeAlloc', allocId: caller().allocId, ...MOTIVE };
    case 'assign':
      return { type: 'assign', ...decision(random, state, term) };
    case 'planMove':
      return { type: 'planMove', ...decision(random, state, term) };
    case 'raise': {
      const raises = Array.from({ length: 1 + random.below(4) }, () => {
        const { id, section } = anySection(random, state);
        return { section: id, epoch: nearly(random, section.epoch), to: (section.maxSeq + BigInt(random.below(300))) as Seq };
      });
      return { type: 'raise', ...ownerOf(random, state, raises[0]!.section, caller), raises };
    }
    case 'release': {
      const { id, section } = anySection(random, state);
      const inside = section.base + BigInt(random.below(Number(section.maxSeq - section.base) + 1));
      const trueMax = random.chance(0.85) ? inside : section.maxSeq + 1n;
      const digest = random.chance(0.4) ? { digest: random.pick(['ab', 'cd']).repeat(32) } : {};
      const release = {
        firstSection: id,
        sectionCount: 1 + random.below(4),
        epoch: nearly(random, section.epoch),
        trueMax: trueMax as Seq,
        ...digest,
      };
      const generation = INIT.generation + (random.chance(0.95) ? 0 : 1);
      return { type: 'release', ...ownerOf(random, state, id, caller), generation, releases: [release] };
    }
    default:
      throw new Error('a kind of command that nobody makes');
  }
}

function decision(random: SeededRandom, state: StoreState, term: number) {
  const runs = Array.from({ length: 1 + random.below(3) }, (): AssignedRun => {
    const alloc = state.allocs.length === 0 ? undefined : random.pick(state.allocs);
    const to = alloc === undefined || random.chance(0.05) ? run('a1', 9) : { allocId: alloc.id, incarnation: alloc.incarnation };
    const firstSection = random.below(state.sections.length) as SectionId;
    return { ...to, firstSection, sectionCount: 1 + random.below(Math.min(40, state.sections.length - firstSection)) };
  });
  const value = state.version.value - (random.chance(0.9) ? 0 : 1);
  return {
    arbiterTerm: term - (random.chance(0.9) ? 0 : 1),
    basedOn: { generation: state.version.generation, value: Math.max(0, value) },
    runs,
    ...MOTIVE,
  };
}

function anySection(random: SeededRandom, state: StoreState): { readonly id: SectionId; readonly section: Section } {
  const owned = state.sections.flatMap(({ owner }, id) => (owner === undefined ? [] : [id]));
  const id = (owned.length > 0 && random.chance(0.9) ? random.pick(owned) : random.below(state.sections.length)) as SectionId;
  return { id, section: state.sections[id]! };
}

function ownerOf(random: SeededRandom, state: StoreState, id: SectionId, other: () => Caller): Caller {
  const { owner } = state.sections[id]!;
  if (owner === undefined || random.chance(0.1)) return other();
  return random.chance(0.95) ? owner : { ...owner, incarnation: parseIncarnation('e'.repeat(32)) };
}

function nearly(random: SeededRandom, epoch: number) {
  return toEpoch(random.chance(0.9) ? epoch : Math.max(0, epoch - 1 + random.below(3)));
}
