// Writes the reference pages that are printed from tables in the source. `--check` only compares.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ERRORS } from '../dist/src/base/errors.js';

const path = fileURLToPath(new URL('../docs/errors.md', import.meta.url));
const page = `# Errors

Printed from \`src/base/errors.ts\` by \`npm run docs\`. One set of codes, the same in the client (\`SeqError.code\`), on the wire (in the trailer
\`seqsvr-error-bin\`) and in the CLI. *Definite*: the operation certainly did not happen; the maker of a single error can know better, so
read \`error.definite\` (or its opposite, \`error.maybeAllocated\`). A bare gRPC status without our trailer is never definite. Retrying \`next\` is safe whatever the code says: a lost
reply costs a gap, never a repeat.

| code | definite by itself | retryable | meaning |
|---|---|---|---|
${Object.entries(ERRORS)
  .map(
    ([code, { definite, retryable, doc }]) =>
      `| <a id="${code.toLowerCase()}"></a>\`${code}\` | ${definite ? 'yes' : 'no'} | ${retryable ? 'yes' : 'no'} | ${doc} |`,
  )
  .join('\n')}
`;

const isCurrent = existsSync(path) && readFileSync(path, 'utf8') === page;
if (process.argv.includes('--check') && !isCurrent) {
  console.error('docs/errors.md is not what src/base/errors.ts says; run npm run docs');
  process.exit(1);
}
if (!isCurrent) writeFileSync(path, page);
