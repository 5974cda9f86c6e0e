import { readFileSync } from 'node:fs';
import type { Clock } from '../base/clock.js';
import { messageOf } from '../base/errors.js';
import { ChannelPool } from '../rpc/channel-pool.js';
import { quietGrpc } from '../rpc/server.js';
import { examineConfig, type NodeConfig } from './config.js';
import { formatProblem } from './config-document.js';
import { dependencyFindings } from './dependency-floors.js';
import * as judge from './doctor-findings.js';
import { existingFolder, type Probes, readClocks } from './doctor-probes.js';
import { EXIT } from './exit.js';
import { ATTEMPT_LIMIT_MS, askAll } from './inspect.js';
import { type Format, type Output, print } from './output.js';
import { renderTable } from './table.js';
import { programVersion } from './version.js';

/** What is looked at: `doctor` looks at all of it. */
export const DOCTOR_PARTS = ['config', 'fsync', 'clock', 'network', 'machine'] as const;
export type DoctorPart = (typeof DOCTOR_PARTS)[number];

export interface DoctorArgs {
  readonly parts: readonly DoctorPart[];
  /** Undefined: there is none to look at. */
  readonly config: string | undefined;
  /** Where disks are measured when no config says so. Undefined: nowhere. */
  readonly folder: string | undefined;
  /** Asked when no config names stores. */
  readonly endpoints: readonly string[];
  readonly output: Format;
}

/** Calls that are timed for one node. */
const WAYS = 3;

type Finding = judge.Finding;

/** `seqctl doctor`, and the checks that are parts of it: what is wrong here, and what to do. Exit code 4 when something fails. */
export async function doctor(args: DoctorArgs, { output, probes }: { readonly output: Output; readonly probes: Probes }): Promise<number> {
  const findings = await examine(args, probes);
  const verdict = judge.worstOf(findings);
  const columns = [
    { title: 'VERDICT', cell: (finding: Finding) => finding.verdict.toUpperCase() },
    { title: 'CHECK', cell: (finding: Finding) => finding.check },
    { title: 'WHAT', cell: (finding: Finding) => (finding.todo === '' ? finding.what : `${finding.what}; ${finding.todo}`) },
  ];
  print(output, args.output, { kind: 'Doctor', body: { verdict, findings }, table: renderTable(columns, findings, args.output) });
  return verdict === 'fail' ? EXIT.unhealthy : EXIT.ok;
}

/** Every finding, in the order of the parts. Never throws for what it finds: a check that cannot be made is a finding, too. */
export async function examine(args: Omit<DoctorArgs, 'output'>, probes: Probes): Promise<Finding[]> {
  const { config, findings } = args.config === undefined ? { config: undefined, findings: [] } : readConfig(args.config);
  const folder = config?.dataDir ?? args.folder;
  const looks: Readonly<Record<DoctorPart, () => Promise<readonly Finding[]> | readonly Finding[]>> = {
    config: () => [...findings, ...(config === undefined ? [] : [judge.judgeTimes(config), ...judge.judgeGeometry(config)])],
    fsync: () => (folder === undefined ? [] : lookAtDisk(existingFolder(folder), probes)),
    clock: async () => [judge.judgeClocks(await readClocks(probes.clock)), judge.judgeNtp(await probes.isClockSynced())],
    network: () =>
      lookAtNodes(
        config === undefined ? { addresses: args.endpoints, isExpected: true } : { addresses: storesOf(config), isExpected: false },
        probes,
      ),
    machine: () => [judge.judgeOpenFiles(probes.openFilesMax()), ...judge.judgeDependencies(dependencyFindings())],
  };
  const all: Finding[] = [];
  // One after another: the disk is not measured while something else is at work.
  for (const part of DOCTOR_PARTS) if (args.parts.includes(part)) all.push(...(await looks[part]()));
  return all;
}

function readConfig(file: string): { readonly config: NodeConfig | undefined; readonly findings: readonly Finding[] } {
  const check = 'config';
  try {
    const { config, problems } = examineConfig(readFileSync(file, 'utf8'), file);
    if (config !== undefined)
      return { config, findings: [{ check, verdict: 'ok', what: `${file} is good: ${config.role} ${config.name}`, todo: '' }] };
    return {
      config,
      findings: problems.map((problem) => ({ check, verdict: 'fail', what: formatProblem(problem), todo: 'correct it: no node starts with it' })),
    };
  } catch (error) {
    const what = `${file} cannot be read: ${messageOf(error)}`;
    return { config: undefined, findings: [{ check, verdict: 'fail', what, todo: 'is the path right, and may this user read it?' }] };
  }
}

async function lookAtDisk(folder: string, probes: Probes): Promise<Finding[]> {
  try {
    const room = probes.room(folder);
    return [judge.judgeSync(await probes.syncTimes(folder), folder, room.isMemory), judge.judgeRoom(room, folder)];
  } catch (error) {
    const what = `${folder} cannot be measured: ${messageOf(error)}`;
    return [
      {
        check: 'fsync',
        verdict: 'fail',
        what,
        todo: 'run this as the user that the node runs as; when that one cannot write there, nor can the node',
      },
    ];
  }
}

async function lookAtNodes(asked: { readonly addresses: readonly string[]; readonly isExpected: boolean }, { clock }: Probes): Promise<Finding[]> {
  quietGrpc();
  const pool = new ChannelPool({ clock });
  try {
    const first = await askAll(asked.addresses, { pool, clock, timeoutMs: ATTEMPT_LIMIT_MS });
    const findings: Finding[] = [];
    // One after another, the connections being there: how long the way is, not how busy this process.
    for (const { address, error } of first) {
      const reached = error === '' ? await timeWay(address, pool, clock) : { address, error, tookMs: 0, version: undefined };
      findings.push(judge.judgeReached(reached, programVersion(), asked.isExpected));
    }
    return findings;
  } finally {
    pool.close();
  }
}

/** The shortest of a few ways there and back: whatever else a machine does makes one longer, never shorter. */
async function timeWay(address: string, pool: ChannelPool, clock: Clock): Promise<judge.Reached> {
  let best: judge.Reached = { address, error: 'nobody was asked', tookMs: Number.POSITIVE_INFINITY, version: undefined };
  for (let way = 0; way < WAYS; way += 1) {
    const begunMs = clock.nowMs();
    const [answer] = await askAll([address], { pool, clock, timeoutMs: ATTEMPT_LIMIT_MS });
    const tookMs = clock.nowMs() - begunMs;
    if (answer !== undefined && tookMs < best.tookMs) best = { address, error: answer.error, tookMs, version: answer.status?.version };
    if (answer?.error !== '') break;
  }
  return best;
}

function storesOf(config: NodeConfig): readonly string[] {
  return config.role === 'alloc' ? config.stores : config.members.map(({ address }) => address);
}
