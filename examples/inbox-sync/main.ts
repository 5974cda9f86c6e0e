import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { SeqClient } from 'seqsvr/client';
import { Delivery, Device, findProblems, Inbox } from './inbox.js';
import { pidOfOwner } from './kill.js';

const USAGE = `Usage: node dist/examples/inbox-sync/main.js [options]

  --endpoints LIST    nodes of a running cluster, comma-separated (default 127.0.0.1:7070)
  --uid UID           whose inbox (default 42)
  --messages N        how many messages are sent, 1 to 1000000 (default 300)
  --input FILE        send the lines of this file, again and again, instead of made-up texts
  --kill auto         half way, kill -9 the AllocSvr that serves the uid (this machine only)
  --kill-pid PID      half way, kill -9 this process instead
`;

/** How long one number may take: longer than the takeover of a dead AllocSvr's sections. */
const NEXT_TIMEOUT_MS = 10_000;
/** How many messages are on their way to the inbox at once. */
const SENDING_MAX = 8;
const PAGE_SIZE = 20;
const MESSAGES_MAX = 1_000_000;

interface Settings {
  readonly endpoints: string[];
  readonly uid: bigint;
  readonly texts: readonly string[];
  readonly kill: 'auto' | number | undefined;
}

/** Sends, kills, syncs and checks. Returns the exit code. */
async function run(settings: Settings): Promise<number> {
  const { uid, texts } = settings;
  await using client = await SeqClient.connect({ endpoints: settings.endpoints, timeoutMs: NEXT_TIMEOUT_MS });
  const inbox = new Inbox();
  const times = new WaitTimes();
  const delivery = new Delivery({ inbox, next: () => times.measure(() => client.next(uid)) });
  // The phone is always on; the tablet looks in now and then, and so misses more at once.
  const devices = [
    { device: new Device('phone'), everyMs: 2 },
    { device: new Device('tablet'), everyMs: 50 },
  ];
  console.log(`inbox of uid ${uid}: ${texts.length} messages, ${devices.length} devices, served by ${client.owner(uid)?.id ?? 'nobody yet'}`);

  const sent = new AbortController();
  const syncing = devices.map(({ device, everyMs }) => syncUntil(sent.signal, { device, inbox, everyMs }));
  try {
    const middle = Math.ceil(texts.length / 2);
    await sendAll(delivery, texts.slice(0, middle));
    if (settings.kill !== undefined) await killNow(client, settings.kill, { uid, afterCount: middle });
    await sendAll(delivery, texts.slice(middle));
  } finally {
    sent.abort();
    await Promise.all(syncing);
  }

  report({ inbox, devices: devices.map(({ device }) => device), longestMs: times.longestMs, servedBy: client.owner(uid)?.id });
  const problems = devices.flatMap(({ device }) => findProblems(device, texts));
  for (const problem of problems.slice(0, 10)) console.log(`WRONG: ${problem}`);
  console.log(problems.length === 0 ? 'OK: both devices hold every message once, in order.' : `FAILED: ${problems.length} problems.`);
  return problems.length === 0 ? 0 : 1;
}

async function sendAll(delivery: Delivery, texts: readonly string[]): Promise<void> {
  for (let from = 0; from < texts.length; from += SENDING_MAX) {
    await Promise.all(texts.slice(from, from + SENDING_MAX).map((text) => delivery.send(text)));
  }
}

async function killNow(client: SeqClient, kill: 'auto' | number, { uid, afterCount }: { uid: bigint; afterCount: number }): Promise<void> {
  const { name, pid } = kill === 'auto' ? await pidOfOwner(client, uid) : { name: 'process', pid: kill };
  console.log(`after ${afterCount} messages: kill -9 of ${name} (pid ${pid})`);
  process.kill(pid, 'SIGKILL');
}

/** Syncs again and again until everything is sent, and then once more. */
async function syncUntil(sent: AbortSignal, { device, inbox, everyMs }: { device: Device; inbox: Inbox; everyMs: number }): Promise<void> {
  while (!sent.aborted) {
    device.sync(inbox, PAGE_SIZE);
    await sleep(everyMs);
  }
  device.sync(inbox, PAGE_SIZE);
}

class WaitTimes {
  longestMs = 0;

  async measure<Value>(run: () => Promise<Value>): Promise<Value> {
    const startMs = performance.now();
    const value = await run();
    this.longestMs = Math.max(this.longestMs, performance.now() - startMs);
    return value;
  }
}

function report({ inbox, devices, longestMs, servedBy }: { inbox: Inbox; devices: Device[]; longestMs: number; servedBy: string | undefined }): void {
  const first = inbox.messages[0]?.seq ?? 0n;
  const skipped = inbox.lastSeq - first + 1n - BigInt(inbox.messages.length);
  console.log(`numbers ${first} to ${inbox.lastSeq}, ${skipped} skipped (gaps are allowed: a takeover leaves one)`);
  console.log(`longest wait for a number: ${Math.round(longestMs)} ms; served by ${servedBy ?? 'nobody'} at the end`);
  for (const { name, messages, syncCount } of devices) console.log(`${name}: ${messages.length} messages in ${syncCount} syncs`);
}

/** Throws an Error with the value and the rule. */
function parseSettings(args: string[]): Settings {
  const { values } = parseArgs({
    args,
    options: {
      endpoints: { type: 'string', default: '127.0.0.1:7070' },
      uid: { type: 'string', default: '42' },
      messages: { type: 'string', default: '300' },
      input: { type: 'string' },
      kill: { type: 'string' },
      'kill-pid': { type: 'string' },
    },
  });
  const count = parseWhole(values.messages, '--messages', MESSAGES_MAX);
  const lines = values.input === undefined ? undefined : readLines(values.input);
  if (values.kill !== undefined && values.kill !== 'auto') throw new Error(`--kill must be auto, got '${values.kill}'; for a pid use --kill-pid`);
  if (values.kill !== undefined && values['kill-pid'] !== undefined) throw new Error('--kill and --kill-pid exclude each other');
  return {
    endpoints: values.endpoints.split(','),
    uid: parseUid(values.uid),
    texts: Array.from({ length: count }, (_, index) => lines?.[index % lines.length] ?? `message ${index + 1}`),
    kill: values['kill-pid'] === undefined ? values.kill : parseWhole(values['kill-pid'], '--kill-pid', 2 ** 22),
  };
}

/** The client checks the range. */
function parseUid(text: string): bigint {
  if (!/^\d{1,20}$/.test(text)) throw new Error(`--uid must be a decimal number, got '${text}'`);
  return BigInt(text);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function parseWhole(text: string, what: string, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max) throw new Error(`${what} must be a whole number in [1, ${max}], got '${text}'`);
  return value;
}

function readLines(path: string): string[] {
  const lines = readFileSync(path, 'utf8')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '');
  if (lines.length === 0) throw new Error(`--input ${path} has no line of text`);
  return lines;
}

/** Returns the exit code: 0 all well, 1 it went wrong, 2 wrong arguments. */
async function main(args: string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(USAGE);
    return 0;
  }
  let settings: Settings;
  try {
    settings = parseSettings(args);
  } catch (error) {
    console.error(`inbox-sync: ${messageOf(error)}\n\n${USAGE}`);
    return 2;
  }
  try {
    return await run(settings);
  } catch (error) {
    console.error(`inbox-sync: ${messageOf(error)}`);
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
