// Writes the reference pages that are printed from tables in the source. `--check` only compares.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ERRORS } from '../dist/src/base/errors.js';
import { CONFIG_SCHEMAS } from '../dist/src/cli/config.js';
import { JSON_SHAPES } from '../dist/src/cli/json-shapes.js';
import { ALLOC_EVENT_DOCS, STORE_EVENT_DOCS } from '../dist/src/cli/log-events.js';
import { ALLOC_LEVELS } from '../dist/src/cli/serve-alloc.js';
import { STORE_LEVELS } from '../dist/src/cli/serve-store.js';
import { OPENAPI } from '../dist/src/gateway/openapi.js';

/** Each page, the source that it is printed from, and its text. */
const PAGES = [
  { page: 'docs/errors.md', source: 'src/base/errors.ts', text: errorsPage },
  { page: 'docs/cli.md', source: 'src/cli/json-shapes.ts', text: cliPage },
  { page: 'docs/events.md', source: 'src/cli/log-events.ts', text: eventsPage },
  { page: 'docs/config.md', source: 'src/cli/config.ts', text: configPage },
  { page: 'docs/openapi.json', source: 'src/gateway/routes.ts', text: () => `${JSON.stringify(OPENAPI, null, 2)}\n` },
];

const isCheck = process.argv.includes('--check');
for (const { page, source, text } of PAGES) {
  const path = fileURLToPath(new URL(`../${page}`, import.meta.url));
  const wanted = text();
  if (existsSync(path) && readFileSync(path, 'utf8') === wanted) continue;
  if (!isCheck) writeFileSync(path, wanted);
  else {
    console.error(`${page} is not what ${source} says; run npm run docs`);
    process.exitCode = 1;
  }
}

function errorsPage() {
  return `# Errors

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
}

function cliPage() {
  const kinds = Object.entries(JSON_SHAPES).map(([kind, shape]) => `## ${kind}\n\n\`\`\`text\n${shapeText(shape)}\n\`\`\``);
  return `# The command line for programs

Printed from \`src/cli/json-shapes.ts\` by \`npm run docs\`; a test walks the commands on a live cluster and compares. For people there is \`--help\` at every level, with examples first.

- **stdout is data, stderr is talk.** \`-o table\` (default) and \`-o wide\` are for people and may change; \`-o json\` and \`-o yaml\` print one object with \`apiVersion: seqsvr/v1\`, its \`kind\` and the fields below.
  A field may join a kind; none changes its meaning or leaves it within an \`apiVersion\`. 64-bit values are decimal strings, for JSON numbers lose digits above 2^53.
- **Exit codes**: 0 ok; 1 failed; 2 usage; 3 unreachable, too late, or health \`unavailable\` or \`unknown\`; 4 health \`degraded\`, or a check that found a difference; 5 refused for safety, nothing was changed; 6 denied; 130 interrupted.
- **Health** is one of four words: \`healthy\`, \`degraded\` (it serves, with a fault), \`unavailable\` (it does not serve), \`unknown\` (nobody can say: silent, or we may not ask).
- **What cannot be undone** states its consequence and asks for a name to be typed back; where nobody can be asked it is refused (5) without \`--yes\`. \`--dry-run\` shows what a change would do.
- **Where a value comes from**: a flag, else a variable \`SEQSVR_ENDPOINTS\`, \`SEQSVR_TIMEOUT\`, \`SEQSVR_OUTPUT\`, else the context in use, else the default; \`seqctl config view\` says which. Contexts are kept in
  \`$XDG_CONFIG_HOME/seqsvr/config.yaml\` (\`~/.config\` when that is not set): \`seqctl config set-context prod --endpoints 10.0.0.1:7071,10.0.0.2:7071\`, then \`config use-context prod\`, or \`--context prod\` for one command.
- **Completion**: \`seqctl completion bash\` or \`zsh\` prints a script for the shell. Names of members, AllocSvrs, sets and contexts are asked for when the key is pressed, for 0.8 s at most.
- **\`--timeout\`** covers the whole command, streams and \`--watch\` included. \`--watch\` (\`-w\`) looks again \`--every\` 2s: JSON objects follow each other, YAML documents are separated by \`---\`, a terminal is drawn anew.

In the shapes, \`text\`, \`number\` (exact in a double), \`boolean\`, \`uint64\` (a decimal string) and \`time\` (ISO 8601, UTC) are plain values; a \`?\` marks what may be absent.

${kinds.join('\n\n')}
`;
}

/** A shape as a reader wants it: JSON without the quotes of JSON. */
function shapeText(shape, indent = '') {
  if (typeof shape === 'string') return shape;
  if (Array.isArray(shape)) return `[${shapeText(shape[0], indent)}]`;
  const inner = `${indent}  `;
  const fields = Object.entries(shape).map(([key, part]) => `${inner}${key === '*' ? '<any>' : key}: ${shapeText(part, inner)}`);
  const line = `{ ${fields.map((field) => field.trim()).join(', ')} }`;
  return line.length + indent.length <= 120 && !line.includes('\n') ? line : `{\n${fields.join('\n')}\n${indent}}`;
}

function eventsPage() {
  return `# Events of the log

Printed from \`src/cli/log-events.ts\` by \`npm run docs\`; the compiler refuses an event that is not in it. A node writes JSON lines to stderr, one for each change of state, none for a call. Each has \`level\`,
\`time\` (UTC), \`node\`, \`component\`, \`event\`, \`msg\` and the fields below. Numbers of 64 bits are text. An \`error\` has \`name\`, \`code\`, \`message\` and its causes, a bug its stack as well. What could repeat
several times a second is told once in a while, with how many were left out. \`seqsvr start --log-level debug\` shows what happens all the time in a healthy node.

## A StoreSvr: component \`store\`

${eventTable(STORE_EVENT_DOCS, STORE_LEVELS)}

## An AllocSvr: component \`alloc\`

${eventTable(ALLOC_EVENT_DOCS, ALLOC_LEVELS)}
`;
}

function eventTable(docs, levels) {
  const rows = Object.entries(docs).map(
    ([event, { when, fields }]) => `| \`${event}\` | ${levels[event] ?? 'info'} | ${when} | ${fields.map((field) => `\`${field}\``).join(', ')} |`,
  );
  return ['| event | level | when | fields |', '|---|---|---|---|', ...rows].join('\n');
}

function configPage() {
  return `# Configuration files

Printed from the schemas in \`src/cli/config.ts\` by \`npm run docs\`. One YAML file a process: \`seqsvr start --config FILE\`. An unknown key is refused, so that a misspelt one is not
silently without effect; so is a value out of its range, and a combination that could not be kept, with the arithmetic. Durations carry their unit: \`500ms\`, \`2s\`, \`5m\`, \`1h\`. Addresses are
\`host:port\`; an IPv6 host stands in brackets. Whole numbers above 9007199254740991 stand in quotes. A relative path counts from the folder that the process is started in. Files to begin with, each key explained at
length: [store.yaml](../deploy/config/store.yaml), [alloc.yaml](../deploy/config/alloc.yaml).

## A StoreSvr: \`role: store\`

${keyTable(CONFIG_SCHEMAS.store)}

## An AllocSvr: \`role: alloc\`

${keyTable(CONFIG_SCHEMAS.alloc)}
`;
}

function keyTable(schema) {
  const rows = keysOf(schema, '').map(
    ({ key, type, range, fallback, description }) => `| \`${key}\` | ${type} | ${range} | ${fallback} | ${description} |`,
  );
  return ['| key | type | range | default | meaning |', '|---|---|---|---|---|', ...rows].join('\n');
}

/** Every key below an object, those of nested objects and of the items of lists with a path. */
function keysOf(object, path) {
  return Object.entries(object.def.shape).flatMap(([name, schema]) => {
    const key = `${path}${name}`;
    const { inner, description, fallback } = unwrap(schema);
    if (description === undefined) throw new Error(`config key ${key} does not say what it is for; give it .describe('...')`);
    const { type, items } = kindOf(inner, key);
    const below = items === undefined ? [] : keysOf(items, inner.def.type === 'array' ? `${key}[].` : `${key}.`);
    return [{ key, description, fallback, ...type }, ...below];
  });
}

/** What is inside of .optional() and .prefault(), and what these and .describe() said. */
function unwrap(schema) {
  let inner = schema;
  let description;
  let fallback = 'required';
  for (; ; inner = inner.def.innerType) {
    description ??= inner.meta()?.description;
    if (inner.def.type === 'optional') fallback = '';
    else if (inner.def.type === 'prefault') fallback = shown(inner.def.defaultValue);
    else return { inner, description, fallback };
  }
}

function shown(fallback) {
  if (fallback === null) return '';
  if (typeof fallback === 'object') return 'see below';
  return fallback === '' ? "`''`" : `\`${fallback}\``;
}

function kindOf(schema, key) {
  const { type, values, element } = schema.def;
  if (type === 'literal') return { type: { type: `\`${values[0]}\``, range: '' } };
  if (type === 'object') return { type: { type: 'keys', range: '' }, items: schema };
  if (type === 'array') {
    const isObject = element.def.type === 'object';
    return {
      type: { type: isObject ? 'list' : `list of ${element.meta()?.type}`, range: element.meta()?.range ?? '' },
      items: isObject ? element : undefined,
    };
  }
  const { type: name, range = '' } = schema.meta() ?? {};
  if (name === undefined) throw new Error(`config key ${key} does not say its type; use a field of config-fields.ts`);
  return { type: { type: name, range } };
}
