import { expect } from 'chai';
import { SeededRandom } from '../seeded-random.js';
import { type Damage, DamageStage, flipOf, tell } from './damage-stage.js';

/** Flipped bits in each kind of file: in small ones every bit, some more than once. */
const FLIPS = 1_000;

/** Of the marker; used: up to the crc, included. */
const SLOT_BYTES = 512;
const SLOT_USED_BYTES = 46;

const KINDS: readonly { readonly name: string; readonly files: RegExp }[] = [
  { name: 'LevelDB log', files: /^db\/\d+\.log$/ },
  { name: 'LevelDB table', files: /^db\/\d+\.ldb$/ },
  { name: 'LevelDB MANIFEST', files: /^db\/MANIFEST-\d+$/ },
  { name: 'LevelDB CURRENT', files: /^db\/CURRENT$/ },
  { name: 'marker', files: /^marker$/ },
  { name: 'identity.json', files: /^identity\.json$/ },
];

describe('a damaged data directory', function () {
  this.timeout(300_000);
  let stage: DamageStage;

  before(async () => {
    stage = await DamageStage.make();
  });

  after(() => stage.remove());

  it('undamaged, shows all that was acknowledged', async () => {
    const tally = await stage.sweep([{ what: 'nothing', files: new Map() }]);
    expect(tally).to.deep.equal({ detected: 0, crashed: 0, harmless: 1, silent: [] });
  });

  for (const { name, files } of KINDS) {
    it(`with one flipped bit in ${name} is refused, or shows all that was acknowledged: 0 silent losses`, async () => {
      const random = new SeededRandom(7);
      const bits = stage.filesLike(files).flatMap((file) => Array.from({ length: stage.bytesOf(file).length * 8 }, (_, bit) => ({ file, bit })));
      expect(bits.length).to.be.greaterThan(0);
      const chosen =
        bits.length > 1.5 * FLIPS
          ? Array.from({ length: FLIPS }, () => random.pick(bits))
          : Array.from({ length: Math.max(FLIPS, bits.length) }, (_, at) => bits[at % bits.length]!);
      const tally = await stage.sweep(chosen.map(({ file, bit }) => flipOf(stage, file, bit)));
      // The marker has two slots, and may lag by one.
      tell(tally, `${chosen.length} flipped bits in ${name}`, { isRedundant: name === 'marker' });
    });
  }

  it('with a flipped bit in both slots of the marker is refused', async () => {
    const bits = Array.from({ length: SLOT_USED_BYTES * 8 }, (_, bit) => bit);
    const damages = bits.map((bit): Damage => {
      const bytes = stage.bytesOf('marker');
      for (const at of [0, SLOT_BYTES]) bytes[at + (bit >> 3)]! ^= 1 << (bit & 7);
      return { what: `bit ${bit} of both slots`, files: new Map([['marker', bytes]]) };
    });
    const tally = await stage.sweep(damages);
    tell(tally, `${damages.length} bits flipped in both slots of the marker`);
    expect(tally.harmless).to.equal(0);
  });

  it('with an old copy of its database under its marker is refused', async () => {
    const isOfDatabase = ([name]: readonly [string, unknown]): boolean => name.startsWith('db/');
    const damages = stage.earlier.map((image, age): Damage => {
      const gone = [...stage.image].filter(isOfDatabase).map(([name]) => [name, undefined] as const);
      return { what: `database of life ${age}`, files: new Map<string, Uint8Array | undefined>([...gone, ...[...image].filter(isOfDatabase)]) };
    });
    const tally = await stage.sweep(damages);
    tell(tally, `${damages.length} old copies of the database`);
    expect(tally.detected).to.equal(damages.length);
  });

  it('with an old copy of its marker shows all that was acknowledged: the marker may lag', async () => {
    const tally = await stage.sweep(
      stage.earlier.map((image, age) => ({ what: `marker of life ${age}`, files: new Map([['marker', image.get('marker')]]) })),
    );
    expect(tally).to.deep.equal({ detected: 0, crashed: 0, harmless: stage.earlier.length, silent: [] });
  });

  it('with a file that lost its end is refused, or shows all that was acknowledged', async () => {
    const random = new SeededRandom(8);
    const damages = [...stage.image.keys()].flatMap((name) => {
      const { length } = stage.bytesOf(name);
      const lengths = [0, 1, length - 1, length >> 1, ...Array.from({ length: 36 }, () => random.below(length))];
      return lengths.map(
        (kept): Damage => ({ what: `${name} cut to ${kept} bytes`, files: new Map([[name, stage.bytesOf(name).subarray(0, kept)]]) }),
      );
    });
    tell(await stage.sweep(damages), `${damages.length} truncated files`);
  });

  it('with zeroes in a part of a file is refused, or shows all that was acknowledged', async () => {
    const random = new SeededRandom(9);
    const names = [...stage.image.keys()];
    const damages = Array.from({ length: 300 }, (): Damage => {
      const name = random.pick(names);
      const bytes = stage.bytesOf(name);
      const from = random.below(bytes.length);
      const to = Math.min(bytes.length, from + random.pick([16, 512, 4096]));
      return { what: `bytes ${from} to ${to} of ${name} zeroed`, files: new Map([[name, bytes.fill(0, from, to)]]) };
    });
    tell(await stage.sweep(damages), `${damages.length} zeroed stretches`);
  });

  it('with any one file gone is refused', async () => {
    const names = [...stage.image.keys()];
    const tally = await stage.sweep(names.map((name) => ({ what: `${name} gone`, files: new Map([[name, undefined]]) })));
    tell(tally, `${names.length} files gone, one at a time`);
    // What a compaction has left behind is no part of the database any more.
    expect(tally.detected + tally.crashed).to.be.at.least(6);
    expect(tally.silent).to.deep.equal([]);
  });

  it('is noticed in every kind of file: what sweeps above find harmless is what LevelDB no longer needs', async () => {
    for (const { name, files } of KINDS) {
      const zeroed = new Map(stage.filesLike(files).map((file) => [file, stage.bytesOf(file).fill(0)]));
      const tally = await stage.sweep([{ what: `all of ${name} zeroed`, files: zeroed }]);
      expect([tally.harmless, tally.silent], name).to.deep.equal([0, []]);
    }
  });
});
