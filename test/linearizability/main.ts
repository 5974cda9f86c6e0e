import { resolve } from 'node:path';
import { checkHistories } from './check-histories.js';

const [folder, ...rest] = process.argv.slice(2);
if (folder === undefined || rest.length > 0) {
  console.error(
    'usage: npm run check-histories -- DIR, a folder with expected.tsv: file, model (etcd-cas-register or kv-get-put-append), ok or illegal',
  );
  process.exitCode = 2;
} else {
  // npm runs scripts in the project's folder, and says where it was called from: there the user's paths begin.
  process.exitCode = checkHistories(resolve(process.env['INIT_CWD'] ?? process.cwd(), folder), { print: (line) => console.log(line) });
}
