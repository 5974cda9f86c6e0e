import { resolve } from 'node:path';
import { checkHistories } from './check-histories.js';
import { sequenceFigures } from './sequence-figures.js';

const USAGE = `usage: npm run check-histories -- DIR            every history that DIR/expected.tsv names: file, model, ok or illegal
       npm run check-histories -- --operations N  how long the exact check of sequence histories takes for N operations`;

const [first, second, ...rest] = process.argv.slice(2);
if (first === '--operations' && second !== undefined && /^[1-9]\d{0,7}$/.test(second) && rest.length === 0) {
  console.log(sequenceFigures(Number(second)));
} else if (first === undefined || first.startsWith('-') || second !== undefined) {
  console.error(USAGE);
  process.exitCode = 2;
} else {
  // npm runs scripts in the project's folder, and says where it was called from: there the user's paths begin.
  process.exitCode = checkHistories(resolve(process.env['INIT_CWD'] ?? process.cwd(), first), { print: (line) => console.log(line) });
}
