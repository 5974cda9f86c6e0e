import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type NodeConfig, parseConfig } from '../../../src/cli/config.js';
import { formatDuration, parseDurationMs } from '../../../src/cli/duration.js';
import { projectRoot } from '../../project-root.js';
import type { SeededRandom } from '../../unit/seeded-random.js';
import { mustHold, outcomeOf, type Target } from '../target.js';

const SAMPLES = ['store.yaml', 'alloc.yaml'].map((name) => readFileSync(join(projectRoot, 'deploy', 'config', name), 'utf8'));
const VALUES = [
  '0',
  '1',
  '-1',
  '1e3',
  '1.5',
  'true',
  'null',
  '~',
  "''",
  "'18446744073709551615'",
  '5s',
  '100ms',
  '1%',
  '10000ppm',
  '0.0.0.0:1',
  '[::]:1',
  'h:1',
  '[]',
  '{}',
  '2024-01-01',
  '0x10',
  '0o7',
  '.inf',
  '&a [*a]',
];
const WORDS = [
  'role: store',
  'role: alloc',
  'join: true',
  'workers: 3',
  'strict: yes',
  'geometry:\n  firstUid: 0',
  '<<: *x',
  '- id: 1',
  '%YAML 1.1\n',
  '---\n',
  ...VALUES,
];

export const config: Target = {
  name: 'config',
  about: 'config files of stores and AllocSvrs (cli/config.ts)',
  shape: { parts: 'one', payload: 'text', words: WORDS },
  generate(random) {
    const lines = random
      .pick(SAMPLES)
      .split('\n')
      .filter((line) => !line.trimStart().startsWith('#') && line.trim() !== '');
    if (random.chance(0.3)) return Buffer.from(lines.join('\n'));
    return Buffer.from(lines.map((line) => changedLine(line, random)).join('\n'));
  },
  feed(input) {
    const text = Buffer.from(input).toString();
    return outcomeOf(() => {
      const parsed = parseConfig(text, 'fuzz.yaml');
      check(parsed);
      return `ok ${parsed.role}`;
    });
  },
};

/** What was accepted keeps the rules that everybody else relies on. */
function check(parsed: NodeConfig): void {
  if (parsed.role === 'alloc') {
    mustHold(parsed.stores.length >= 1, 'an AllocSvr has somebody to ask');
    mustHold(parsed.renewEveryMs >= 10 && parsed.raiseAheadMs > 0, 'a pace is a time');
    return;
  }
  const { lease, electionMaxMs, heartbeatMs, geometry, members } = parsed;
  mustHold(2 * electionMaxMs < lease.leaseMs, 'a lease outlasts two election rounds');
  mustHold(heartbeatMs >= 1 && Number.isSafeInteger(heartbeatMs), 'a heartbeat is a time');
  mustHold(parseDurationMs(formatDuration(lease.leaseMs)) === lease.leaseMs, 'a duration that was read is written as it was');
  mustHold(geometry.firstUid <= geometry.lastUid && parsed.raiseBy >= 1n, 'a set has uids, and a raise lifts');
  mustHold(new Set(members.map(({ id }) => id)).size === members.length, 'no id is there twice');
}

function changedLine(line: string, random: SeededRandom): string {
  if (random.chance(0.9)) return line;
  if (random.chance(0.3)) return '';
  return line.replace(/:.*$/, `: ${random.pick(VALUES)}`);
}
