import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { pause } from '../until.js';
import { LEASE_MS, type World } from '../world.js';
import type { Nemesis } from './nemesis.js';

const CPU = '/sys/fs/cgroup/cpu';
const PERIOD_US = 100_000;
const CONNECTIONS = 40;

/** A node gets 1 to 10 % of one CPU. */
export const cpuQuota: Nemesis = {
  name: 'cpu-quota',
  needs: ['cgroup'],
  async strike(world, random) {
    const name = random.pick(world.nodes);
    const percent = 1 + random.below(10);
    const durationMs = LEASE_MS + random.below(LEASE_MS * 2);
    const group = `${CPU}/seqsvr-${process.pid}`;
    mkdirSync(group);
    try {
      writeFileSync(`${group}/cpu.cfs_period_us`, String(PERIOD_US));
      writeFileSync(`${group}/cpu.cfs_quota_us`, String((PERIOD_US * percent) / 100));
      writeFileSync(`${group}/cgroup.procs`, String(world.cluster.pidOf(name)));
      await pause(durationMs);
      const throttled = Number(/nr_throttled (\d+)/.exec(readFileSync(`${group}/cpu.stat`, 'utf8'))?.[1] ?? 0);
      return {
        what: `${name} has ${percent} % of a CPU for ${durationMs} ms`,
        proof: throttled > 0 ? `throttled in ${throttled} periods` : undefined,
      };
    } finally {
      for (const pid of readFileSync(`${group}/cgroup.procs`, 'utf8').split('\n').filter(Boolean)) writeFileSync(`${CPU}/cgroup.procs`, pid);
      rmdirSync(group);
    }
  },
};

/** A node may open no more files than it has, while connections come; then it may again. */
export const fileLimit: Nemesis = {
  name: 'file-limit',
  needs: ['prlimit'],
  async strike(world, random) {
    const name = random.pick(world.nodes);
    const durationMs = LEASE_MS + random.below(LEASE_MS);
    const pid = world.cluster.pidOf(name);
    const before = limitOf(pid);
    const limit = openOf(pid).length + 2;
    execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`]);
    const sockets = Array.from({ length: CONNECTIONS }, () => knock(world, name));
    await pause(durationMs);
    // Every number that it may use is in use: the next file, or connection, could not be opened.
    const isExhausted = world.cluster.isRunning(name) && openOf(pid).filter((file) => file < limit).length === limit;
    if (world.cluster.isRunning(name)) execFileSync('prlimit', ['--pid', String(pid), `--nofile=${before}:`]);
    for (const socket of sockets) socket.destroy();
    return {
      what: `${name} may open no further files for ${durationMs} ms, ${CONNECTIONS} connections come`,
      proof: isExhausted ? `all ${limit} files that it may have are open` : world.cluster.isRunning(name) ? undefined : 'it ended',
    };
  },
};

function limitOf(pid: number): number {
  return Number(/^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1]);
}

function openOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/fd`).map(Number);
}

function knock(world: World, name: string) {
  const [host = '', port] = world.cluster.addressOf(name).split(':');
  const socket = connect({ host, port: Number(port) });
  socket.on('error', () => undefined);
  return socket;
}
