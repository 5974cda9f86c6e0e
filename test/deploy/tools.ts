import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Context } from 'mocha';
import { projectRoot } from '../project-root.js';

const COMMAND_LIMIT_MS = 60_000;

export interface Said {
  readonly code: number;
  /** Both streams, one after the other. */
  readonly text: string;
}

/** Skips the test, with a word on the console, where the tool is not in PATH: `.ci/run` installs all of them. */
export function need(context: Context, tool: string): void {
  if (hasTool(tool)) return;
  console.log(`      ${tool} is not installed here, so this is not checked`);
  context.skip();
}

export function hasTool(tool: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch (error) {
      if (error instanceof Error) return false;
      throw error;
    }
  });
}

/** Runs it in the project's folder. Never throws for an exit code. */
export function run(tool: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Said {
  const { status, stdout, stderr, error } = spawnSync(tool, args, {
    cwd: projectRoot,
    encoding: 'utf8',
    timeout: COMMAND_LIMIT_MS,
    env: { ...process.env, ...env },
  });
  if (error !== undefined) throw error;
  return { code: status ?? 1, text: `${stdout}${stderr}` };
}
