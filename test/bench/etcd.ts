import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { systemRandom } from '../../src/base/random.js';
import { freePorts } from '../jepsen/ports.js';
import { until } from '../jepsen/until.js';
import { PUT, STATUS } from './etcd-wire.js';
import { metricOf } from './metric.js';
import type { System } from './system.js';

/** A key and a value together weigh what a raise of one section weighs on the wire. */
const VALUE_BYTES = 48;
const START_LIMIT_MS = 30_000;
const EXIT_LIMIT_MS = 10_000;
const CALL_LIMIT_MS = 10_000;

/** Three members with etcd's own settings, and a client at the leader: one unary call a put, for etcd gathers nothing. */
export async function startEtcd(program: string, folder: string, keyCount: number): Promise<System> {
  const ports = await freePorts(6);
  const members = [0, 1, 2].map((place) => ({
    name: `etcd-${place + 1}`,
    address: `127.0.0.1:${ports[place]}`,
    peerUrl: `http://127.0.0.1:${ports[place + 3]}`,
  }));
  const cluster = members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',');
  const processes = members.map((member) => startMember(program, folder, { ...member, cluster }));
  const clients = members.map(
    ({ address }) => new Client(address, credentials.createInsecure(), { 'grpc.enable_retries': 0, 'grpc.enable_channelz': 0 }),
  );
  const stop = async (): Promise<void> => {
    for (const client of clients) client.close();
    await Promise.all(processes.map(stopMember));
  };
  try {
    const leader = await until('etcd has a leader', START_LIMIT_MS, async () => {
      const statuses = await Promise.all(clients.map((client) => call(client, STATUS, undefined)));
      const place = statuses.findIndex(({ memberId, leaderId }) => leaderId !== 0n && memberId === leaderId);
      return place === -1 ? undefined : { client: clients[place], address: members[place]?.address };
    });
    const { client, address } = leader;
    if (client === undefined) throw new Error('the leader is one of the members');
    const keys = Array.from({ length: keyCount }, (_, key) => Buffer.from(`section/${String(key).padStart(6, '0')}`));
    const value = Buffer.alloc(VALUE_BYTES, 1);
    return {
      name: 'etcd',
      commit: async () => void (await call(client, PUT, { key: keys[systemRandom.below(keyCount)] ?? Buffer.alloc(0), value })),
      syncCount: () => metricOf(`http://${address}/metrics`, 'etcd_disk_wal_fsync_duration_seconds_count'),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * A shell stands between, for etcd knows no parent: it ends etcd when its own input ends, whatever this process died of.
 * Both are in a group of their own, so that a Ctrl-C at the terminal reaches neither before this process has its say.
 */
function startMember(program: string, folder: string, member: { name: string; address: string; peerUrl: string; cluster: string }): ChildProcess {
  const { name, address, peerUrl, cluster } = member;
  const url = `http://${address}`;
  const flags = {
    name,
    'data-dir': join(folder, name),
    'listen-client-urls': url,
    'advertise-client-urls': url,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': cluster,
    'initial-cluster-state': 'new',
    'log-level': 'error',
  };
  const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
  const log = openSync(join(folder, `${name}.log`), 'w');
  const child = spawn('/bin/sh', ['-c', '"$@" & child=$!; read -r _; kill -9 "$child"; wait "$child"', 'sh', program, ...args], {
    detached: true,
    stdio: ['pipe', log, log],
    // etcd of this age starts on other processors than amd64 only when asked to.
    env: { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch === 'x64' ? '' : process.arch },
  });
  closeSync(log);
  return child;
}

async function stopMember(child: ChildProcess): Promise<void> {
  child.stdin?.destroy();
  await until(`etcd below process ${child.pid} ends`, EXIT_LIMIT_MS, () => child.exitCode !== null || child.signalCode !== null || undefined);
}

function call<Request, Response>(client: Client, method: MethodDefinition<Request, Response>, request: Request): Promise<Response> {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + CALL_LIMIT_MS };
    client.makeUnaryRequest(method.path, method.requestSerialize, method.responseDeserialize, request, new Metadata(), options, (error, response) => {
      if (error !== null) reject(error);
      else if (response === undefined) reject(new Error(`${method.path} answered without a message`));
      else resolve(response);
    });
  });
}
