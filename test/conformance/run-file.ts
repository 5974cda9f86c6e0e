import { readFileSync } from 'node:fs';
import { firstDifference } from './compare.js';
import { CONFCHANGE_COMMANDS, confChangeScript } from './confchange-script.js';
import { type Block, parseDataFile, ScriptError } from './data-file.js';
import { interactionScript } from './interaction-script.js';
import { QUORUM_COMMANDS, quorumScript } from './quorum-script.js';

export interface FileReport {
  readonly commandCount: number;
  readonly passedCount: number;
  /** The first thing that went otherwise; undefined: the file passes. */
  readonly failure: Failure | undefined;
}

/** Several lines for a person: where, what was expected, what came. */
export interface Failure {
  /** Counted from 1. */
  readonly line: number;
  readonly text: string;
}

export function runFile(path: string): FileReport {
  return runText(readFileSync(path, 'utf8'));
}

/** Runs every command, also after one has failed: what else is wrong counts too. */
export function runText(text: string): FileReport {
  const blocks = parsed(text);
  if (blocks instanceof ScriptError) return { commandCount: 0, passedCount: 0, failure: { line: 1, text: blocks.message } };
  if (blocks.length === 0) return { commandCount: 0, passedCount: 0, failure: { line: 1, text: 'a data file without a command proves nothing' } };
  const run = scriptFor(blocks)();
  const failures = blocks.flatMap((block) => failureOf(block, run) ?? []);
  return { commandCount: blocks.length, passedCount: blocks.length - failures.length, failure: failures[0] };
}

function parsed(text: string): readonly Block[] | ScriptError {
  try {
    return parseDataFile(text);
  } catch (error) {
    if (error instanceof ScriptError) return error;
    throw error;
  }
}

/** By the commands in it, not by where it lies. */
function scriptFor(blocks: readonly Block[]): () => (block: Block) => string {
  if (blocks.some(({ command }) => QUORUM_COMMANDS.has(command))) return quorumScript;
  if (blocks.some(({ command }) => CONFCHANGE_COMMANDS.has(command))) return confChangeScript;
  return interactionScript;
}

function failureOf(block: Block, run: (block: Block) => string): Failure | undefined {
  const { line, command, expected, expectedLine } = block;
  let actual: string;
  try {
    actual = run(block);
  } catch (error) {
    // A command that cannot be run, or an invariant of the core that broke: told, and the run goes on to the next file.
    const why = error instanceof ScriptError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { line, text: `${command}: ${why}` };
  }
  const difference = firstDifference(expected, actual);
  if (difference === undefined) return undefined;
  const shown = (text: string | undefined): string => (text === undefined ? '(nothing)' : text);
  return {
    line: expectedLine + difference.at,
    text: `${command}, line ${line}\n  expected: ${shown(difference.expected)}\n  actual:   ${shown(difference.actual)}`,
  };
}
