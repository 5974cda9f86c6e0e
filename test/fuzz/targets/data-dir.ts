import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDataDir } from '../../../src/store/data-dir.js';
import { findIdentity } from '../../../src/store/data-dir.js';
import { readQuarantine } from '../../../src/store/quarantine.js';
import { SeededRandom } from '../../unit/seeded-random.js';
import { packFrames, unpackFrames } from '../frames.js';
import { scratch } from '../scratch.js';
import { mustHold, refusalOf, type Target } from '../target.js';

const CLUSTER = 'c'.repeat(32);
const [IDENTITY, QUARANTINE] = [0, 1];
const FILES = ['identity.json', 'quarantine.json'];

/** The two files of a data directory that say if its data counts, as they are found there. */
export const dataDir: Target = {
  name: 'data-dir',
  about: 'identity.json and quarantine.json of a data directory, read at a start (store/data-dir.ts, identity-file.ts, quarantine.ts)',
  shape: {
    parts: 'frames',
    payload: 'text',
    words: ['"creating"', '"ready"', '"next":{}', 'null', '{}', '[]', '1e999', '-0', '{"__proto__":1}', CLUSTER],
  },
  generate(random) {
    const identity = {
      format: 1,
      state: random.pick(['creating', 'ready']),
      clusterId: CLUSTER,
      nodeId: random.pick([1, 70_000, -1]),
      nodeUuid: '1'.repeat(32),
    };
    const whole = random.chance(0.2) ? { ...identity, next: { clusterId: 'd'.repeat(32), nodeId: 1, nodeUuid: '2'.repeat(32) } } : identity;
    const frames = [{ kind: IDENTITY, payload: Buffer.from(JSON.stringify(whole)) }];
    if (random.chance(0.3))
      frames.push({ kind: QUARANTINE, payload: Buffer.from(JSON.stringify({ reason: 'a disk', sinceUnixMs: 1_750_000_000_000 })) });
    return packFrames(frames);
  },
  async feed(input) {
    const path = scratch();
    for (const name of FILES) rmSync(join(path, name), { force: true });
    const frames = unpackFrames(input).slice(0, 4);
    for (const { kind, payload } of frames) writeFileSync(join(path, FILES[kind % 2] ?? ''), payload);
    const isQuarantined = (await readQuarantine(path)) !== undefined;
    mustHold(isQuarantined === frames.some(({ kind }) => kind % 2 === QUARANTINE), 'a note that is there counts, whatever is in it');
    const shown = await findIdentity(path);
    try {
      const { identity } = await openDataDir(path, { clusterId: CLUSTER, nodeId: 1, random: new SeededRandom(1) });
      mustHold(!isQuarantined, 'nobody starts on data that is quarantined');
      if (shown !== undefined) mustHold(identity.nodeUuid === shown.nodeUuid && identity.nodeId === shown.nodeId, 'a data directory is what it says');
      mustHold(identity.clusterId === CLUSTER && Number.isSafeInteger(identity.nodeId), 'a data directory that opens is of this cluster');
      return `ok ${shown === undefined ? 'new' : 'known'}`;
    } catch (error) {
      return refusalOf(error, 'DamageError too');
    }
  },
};
