import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { anyFreePort } from '../../src/cli/front-door.js';
import { projectRoot } from '../project-root.js';

/** From the start of a dev cluster to one that serves. */
const SERVING_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 20_000;

/** A dev cluster of real processes, of which none is started again when it dies. */
export interface DevCluster {
  /** Where its clients connect. */
  readonly address: string;
  /** Its data, configs and logs. */
  readonly folder: string;
  stop(): Promise<void>;
}

export async function startDevCluster(): Promise<DevCluster> {
  const parent = mkdtempSync(join(tmpdir(), 'seqsvr-transcript-'));
  const folder = join(parent, 'data');
  const port = await anyFreePort();
  const main = join(projectRoot, 'dist', 'src', 'cli', 'main.js');
  const args = [main, 'dev', '--data', folder, '--port', String(port), '--stores', '3', '--allocs', '2', '--no-restart'];
  const child = spawn(process.execPath, args, { env: ownEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = async (): Promise<void> => {
    await end(child);
    rmSync(parent, { recursive: true, force: true, maxRetries: 5 });
  };
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  child.stderr.on('data', (chunk) => (text += String(chunk)));
  const giveUpAt = Date.now() + SERVING_LIMIT_MS;
  while (!text.includes('Ctrl-C stops')) {
    if (child.exitCode !== null || Date.now() > giveUpAt) {
      await stop();
      throw new Error(`the dev cluster does not serve:\n${text}`);
    }
    await delay(20);
  }
  return { address: `127.0.0.1:${port}`, folder, stop };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const isEnded = await Promise.race([ended.then(() => true), delay(STOP_LIMIT_MS, false, { ref: false })]);
  if (!isEnded) child.kill('SIGKILL');
}

/** Without variables that would be options of the commands. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SEQSVR_')));
}
