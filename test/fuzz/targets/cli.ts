import { messageOf } from '../../../src/base/errors.js';
import { parseUid } from '../../../src/model/ids.js';
import { splitAddress } from '../../../src/model/address.js';
import { COMMANDS } from '../../../src/cli/command-tree.js';
import { parsePpm } from '../../../src/cli/config-fields.js';
import { parseDurationMs } from '../../../src/cli/duration.js';
import { parseConnection, parseFormat, parseWhole } from '../../../src/cli/options.js';
import { chooseCommand } from '../../../src/cli/program.js';
import type { SeededRandom } from '../../unit/seeded-random.js';
import { mustHold, outcomeOf, type Outcome, refusalOf, type Target } from '../target.js';

const FLAGS = [
  '--endpoints',
  '--timeout',
  '-o',
  '--output',
  '--debug',
  '--help',
  '--version',
  '-n',
  '--count',
  '--config',
  '--log-level',
  '--reason',
  '--yes',
  '--no-wait',
  '--dry-run',
  '--stores',
  '--allocs',
  '--data',
  '--port',
  '--force-new-cluster',
  '--bump',
  '--generation',
  '--',
];
const VALUES = [
  '1',
  '-1',
  '0',
  '42',
  '18446744073709551616',
  '1e3',
  'h:1',
  'h:1,h:2',
  '[::1]:7',
  '5s',
  '1.5s',
  'json',
  'table',
  's1',
  'a1',
  '1%',
  '',
  ' ',
  'ü',
  '--x.y.z=1',
  '--__proto__.polluted=1',
  '--constructor.prototype.polluted=1',
  '-n-1',
  '-on',
  '@file',
  '0..9',
];

/** A command line: its words, each ended by a zero byte. Parsed, and never run. */
export const cli: Target = {
  name: 'cli',
  about: 'command lines of seqsvr and seqctl, and what options make of their values (cli/program.ts, cli/options.ts)',
  shape: { parts: 'one', payload: 'text', words: [...FLAGS, ...VALUES, ...Object.keys(COMMANDS)].map((word) => `${word}\0`) },
  generate: (random) =>
    Buffer.from(
      lineOf(random)
        .map((word) => `${word}\0`)
        .join(''),
    ),
  async feed(input) {
    const args = Buffer.from(input).toString().split('\0').slice(0, 40);
    const outcome = await parse(args);
    mustHold(!('polluted' in {}), 'no argument changes what other objects are');
    return [outcome, ...args.slice(0, 12).map(valueOf)];
  },
};

async function parse(args: readonly string[]): Promise<Outcome> {
  const quiet = {
    output: { out: () => undefined, talk: () => undefined },
    terminal: { isInteractive: false, isWatched: false, ask: () => Promise.resolve('') },
  };
  const log = console.log;
  // yargs prints help through the console.
  console.log = () => undefined;
  try {
    return (await chooseCommand(args, 'seqctl', quiet)) === undefined ? 'ok nothing' : 'ok a command';
  } catch (error) {
    mustHold(messageOf(error) !== '', 'whoever is refused is told why');
    return refusalOf(error);
  } finally {
    console.log = log;
  }
}

/** What every option parser says of one word: a value, or INVALID_ARGUMENT. */
function valueOf(word: string): Outcome {
  const parsers: readonly (() => unknown)[] = [
    () => parseWhole('--count', word),
    () => parseDurationMs(word),
    () => parsePpm(word),
    () => splitAddress(word),
    () => parseUid(word),
    () => parseFormat(word),
    () => parseConnection({ endpoints: word, timeout: undefined, output: 'json' }),
    () => parseConnection({ endpoints: 'h:1', timeout: word, output: 'json' }),
  ];
  const taken = parsers.map((parser) => (outcomeOf(() => void parser()) === 'ok' ? 'v' : '.')).join('');
  const at = parsers[0] === undefined || !taken.startsWith('v') ? undefined : parseWhole('--count', word);
  mustHold(at === undefined || Number.isSafeInteger(at), 'a whole number is one');
  return `value ${taken}`;
}

function lineOf(random: SeededRandom): string[] {
  const group = random.pick(Object.keys(COMMANDS));
  const command = COMMANDS[group] ?? [];
  const words = [group, ...(command.length > 0 ? [random.pick(command)] : [])];
  for (let left = random.below(5); left > 0; left -= 1) words.push(random.pick(random.chance(0.5) ? FLAGS : VALUES));
  return words;
}
