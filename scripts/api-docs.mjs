// `npm run docs:api`: pages of the client's interface, made by TypeDoc from the sources, in dist/api. TypeDoc needs a TypeScript older than ours and is
// asked for seldom, so npm fetches both for this one command.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { npmCommand } from './npm.mjs';

const PACKAGES = ['typedoc@0.28.20', 'typescript@6.0.3'];
const OUT = join('dist', 'api');
/** The doors of the package (`exports` of package.json). */
const DOORS = ['src/client/client.ts', 'src/client/testing.ts'];
/** Types that an exported one mentions and that callers have no need to name. Any other is a mistake, and fails. */
const UNNAMED = ['ERRORS', 'Redirect', 'SeenVersion', 'Wire', 'Instant', 'RoutingTable'];

const FLAGS = '--tsconfig tsconfig.json --readme none --excludePrivate --disableSources --treatWarningsAsErrors'.split(' ');

/** Runs from the project's folder, with the dependencies installed. Returns the exit code. */
export function makeApiDocs() {
  const doors = DOORS.flatMap((door) => ['--entryPoints', door]);
  const unnamed = UNNAMED.flatMap((name) => ['--intentionallyNotExported', name]);
  const command = ['typedoc', ...doors, ...unnamed, ...FLAGS, '--out', OUT, '--name', 'seqsvr-client'];
  const npm = npmCommand(['exec', '--yes', ...PACKAGES.map((name) => `--package=${name}`), '--', ...command]);
  const { status } = spawnSync(npm.command, npm.args, { stdio: 'inherit', ...npm.options });
  if (status === 0) console.log(`the pages begin at ${join(OUT, 'index.html')}`);
  return status ?? 1;
}
