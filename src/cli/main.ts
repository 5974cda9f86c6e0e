#!/usr/bin/env node
import { basename } from 'node:path';
import { processOutput } from './output.js';
import { runProgram } from './program.js';

// One program, two names: what differs is only how it speaks of itself.
const name = basename(process.argv[1] ?? '').startsWith('seqctl') ? 'seqctl' : 'seqsvr';

// A reader that has seen enough (`| head`) is no failure of ours.
process.stdout.on('error', (error: Error & { readonly code?: string }) => {
  if (error.code !== 'EPIPE') throw error;
});

const code = await runProgram(process.argv.slice(2), { name, output: processOutput });
// Exits only AFTER the output is out; and does exit, whatever a failed command left open.
process.stdout.write('', () => process.exit(code));
