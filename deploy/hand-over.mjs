// `node hand-over.mjs --config store.yaml`, or with SEQSVR_CONFIG, before a StoreSvr is stopped: if it leads, another one leads afterwards, and nobody waits for
// an election. For preStop hooks and ExecStop. Always exits 0, for whatever this comes to, the stop that follows is safe.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse } from 'yaml';

/** The stop must not wait for long: without a hand-over it costs one election. */
const LIMIT = '5s';
const program = process.env['SEQSVR_PROGRAM'] ?? fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url));
const [flag, file = process.env['SEQSVR_CONFIG']] = process.argv.slice(2);

try {
  if ((flag ?? '--config') !== '--config' || file === undefined) throw new Error('usage: node hand-over.mjs --config store.yaml');
  const { name, listen } = parse(readFileSync(file, 'utf8'));
  const endpoint = listen.replace(/^(?:0\.0\.0\.0|\[::\]|\*):/, '127.0.0.1:');
  const leader = JSON.parse(await seqctl(endpoint, 'leader', 'show', '-o', 'json'));
  if (leader.name === name) console.log(await seqctl(endpoint, 'leader', 'transfer'));
  else console.log(`${leader.name} leads, so ${name} has nothing to hand over`);
} catch (error) {
  console.error(`no hand-over: ${error.message}`);
}

async function seqctl(endpoint, ...command) {
  const { stdout } = await promisify(execFile)(process.execPath, [program, '--endpoints', endpoint, '--timeout', LIMIT, ...command]);
  return stdout.trim();
}
