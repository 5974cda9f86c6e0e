import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { messageOf } from '../../../src/base/errors.js';
import { whyNoShim } from '../faulty-disk.js';
import { Network } from '../network.js';
import { type Need, whyNotFaketime } from '../world.js';
import { clock } from './clocks.js';
import { lostDirectory, oldCopy } from './data-dirs.js';
import { diskFull, fsyncError, hungDisk, lyingFsync, powerLoss } from './disks.js';
import { cpuQuota, fileLimit } from './limits.js';
import type { Nemesis } from './nemesis.js';
import { cutConnections, delay, loss, partition } from './network.js';
import { drain, leaderTransfer, membership } from './operators.js';
import { kill, pauseNodes, rollingRestart } from './processes.js';

/** All kinds of trouble, in the order of a campaign. */
export const NEMESES: readonly Nemesis[] = [
  kill,
  pauseNodes,
  partition,
  loss,
  delay,
  cutConnections,
  clock,
  diskFull,
  fsyncError,
  lyingFsync,
  powerLoss,
  hungDisk,
  lostDirectory,
  oldCopy,
  membership,
  leaderTransfer,
  drain,
  rollingRestart,
  cpuQuota,
  fileLimit,
];

/** Asks the machine once. By need: why it cannot be had here, undefined when it can. */
export function machineLimits(): (need: Need) => string | undefined {
  const known = new Map<Need, string | undefined>();
  return (need) => {
    if (!known.has(need)) known.set(need, LIMITS[need]());
    return known.get(need);
  };
}

const LIMITS: Readonly<Record<Need, () => string | undefined>> = {
  namespaces: () => Network.whyNot(),
  // Where there are no namespaces, whose connection it is can only be told on Linux.
  proxy: () => (process.platform === 'linux' ? undefined : 'connections can be told apart on Linux only'),
  shim: whyNoShim,
  faketime: whyNotFaketime,
  cgroup: () =>
    process.getuid?.() === 0 && existsSync('/sys/fs/cgroup/cpu/cgroup.procs')
      ? undefined
      : 'no CPU quota can be set here (root and cgroup v1 are needed)',
  prlimit: () => {
    try {
      execFileSync('prlimit', ['--version'], { stdio: 'ignore' });
      return process.platform === 'linux' ? undefined : 'limits of running processes can be changed on Linux only';
    } catch (error) {
      return `limits of running processes cannot be changed here (prlimit is needed): ${messageOf(error).split('\n', 1)[0]}`;
    }
  },
};
