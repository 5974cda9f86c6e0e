import { readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { Clock } from '../base/clock.js';
import { isoTime } from '../base/clock.js';
import { messageOf, SeqError } from '../base/errors.js';
import { ChannelPool } from '../rpc/channel-pool.js';
import { quietGrpc } from '../rpc/server.js';
import { examineConfig } from './config.js';
import { settingsOf } from './config-settings.js';
import { dependencyFindings } from './dependency-floors.js';
import { DOCTOR_PARTS, examine } from './doctor.js';
import type { Probes } from './doctor-probes.js';
import { EXIT } from './exit.js';
import { inspectCluster } from './inspect.js';
import type { ConnectionArgs } from './options.js';
import { type Output, print, toJson } from './output.js';
import { type TarEntry, tarOf } from './tar.js';
import { programVersion } from './version.js';

/** The longest a page of /metrics or /readyz may be, in bytes; what is longer is cut off. */
const PAGE_BYTES_MAX = 4 * 1_048_576;
/** How long one page may take, in ms. */
const PAGE_LIMIT_MS = 3_000;
/** Admin ports and configs that are looked at: with PAGE_BYTES_MAX the bound of the whole. */
export const BUNDLE_SOURCES_MAX = 16;

export interface BundleArgs extends ConnectionArgs {
  readonly out: string;
  /** `host:port` of adminListen. */
  readonly admins: readonly string[];
  readonly configs: readonly string[];
}

/**
 * `seqctl debug bundle`: what a helper needs to see, in one archive. What cannot be had is named in it. Configs are there as
 * settings without secrets and paths, never as files. Throws INVALID_ARGUMENT when the archive is there already.
 */
export async function debugBundle(args: BundleArgs, { output, probes }: { readonly output: Output; readonly probes: Probes }): Promise<number> {
  const { clock } = probes;
  const missing: string[] = [];
  const entries: TarEntry[] = [];
  const add = async (name: string, make: () => Promise<string> | string): Promise<void> => {
    try {
      entries.push({ name: `seqsvr-debug/${name}`, content: await make() });
    } catch (error) {
      missing.push(`${name}: ${messageOf(error)}`);
    }
  };
  const madeAtMs = clock.wallMs();
  await add('versions.json', () =>
    toJson('DebugVersions', {
      version: programVersion(),
      node: process.version,
      platform: process.platform,
      time: isoTime(madeAtMs),
      dependencies: dependencyFindings(),
    }),
  );
  await add('nodes.json', () => statusOf(args, clock));
  for (const admin of args.admins) {
    for (const page of ['metrics', 'readyz?verbose']) {
      await add(`http/${admin.replaceAll(/[^\w.-]/g, '_')}/${page.replace('?verbose', '')}.txt`, () => pageOf(`http://${admin}/${page}`, clock));
    }
  }
  for (const [at, file] of args.configs.entries()) await add(`configs/${at + 1}.json`, () => redactedConfig(file));
  await add('doctor.json', async () => {
    const findings = await examine(
      { parts: DOCTOR_PARTS.filter((part) => part !== 'config'), config: undefined, folder: undefined, endpoints: args.endpoints },
      probes,
    );
    return toJson('Doctor', { findings });
  });
  entries.push({ name: 'seqsvr-debug/missing.txt', content: missing.map((line) => `${line}\n`).join('') });
  write(args.out, gzipSync(tarOf(entries, madeAtMs / 1_000)));
  const files = entries.map(({ name }) => name);
  print(output, args.output, { kind: 'DebugBundle', body: { file: args.out, files, missing }, table: `${args.out}: ${files.length} files\n` });
  for (const line of missing) output.talk(`not in it: ${line}`);
  return EXIT.ok;
}

/** What a config comes to, without secrets and paths. Of a bad one only where it is bad: its words may be a secret in the wrong place. */
export function redactedConfig(file: string): string {
  const { config, document, problems } = examineConfig(readFileSync(file, 'utf8'), file);
  if (config === undefined) return toJson('ConfigProblems', { problems: problems.map(({ line, key }) => ({ line, key })) });
  return toJson('ConfigSettings', { role: config.role, settings: settingsOf(config, document, { isRedacted: true }) });
}

async function statusOf({ endpoints, timeoutMs }: BundleArgs, clock: Clock): Promise<string> {
  quietGrpc();
  const pool = new ChannelPool({ clock });
  try {
    const { answers } = await inspectCluster(endpoints, { pool, clock, timeoutMs });
    return toJson('DebugNodes', { nodes: answers });
  } finally {
    pool.close();
  }
}

/** The text of a page, cut at PAGE_BYTES_MAX. Rejects when it does not come within PAGE_LIMIT_MS. */
function pageOf(url: string, clock: Clock): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, (response) => {
      let text = '';
      const finish = (): void => {
        cancel();
        request.destroy();
        resolve(text.slice(0, PAGE_BYTES_MAX));
      };
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length >= PAGE_BYTES_MAX) finish();
      });
      response.on('end', finish);
    });
    const cancel = clock.after(PAGE_LIMIT_MS, () => request.destroy(new Error(`no answer within ${PAGE_LIMIT_MS}ms`)));
    request.on('error', (error) => {
      cancel();
      reject(error);
    });
  });
}

function write(file: string, bytes: Uint8Array): void {
  try {
    // Not for others' eyes, and nothing is overwritten.
    writeFileSync(file, bytes, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    throw new SeqError('INVALID_ARGUMENT', `--out '${file}' cannot be written: ${messageOf(cause)}`, { cause });
  }
}
