import { join } from 'node:path';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { freePorts } from '../../../jepsen/ports.js';
import { until } from '../../../jepsen/until.js';
import { STATUS } from '../../etcd-wire.js';
import { GuardedProcess } from '../guarded-process.js';
import type { RivalSystem } from '../system.js';

const START_LIMIT_MS = 30_000;
const CALL_LIMIT_MS = 2_000;

/** Three members with etcd's own settings; the client talks to the leader, which spares it a hop. */
export async function startEtcd(program: string, folder: string): Promise<RivalSystem> {
  const ports = await freePorts(6);
  const members = [0, 1, 2].map((place) => ({
    name: `etcd-${place + 1}`,
    address: `127.0.0.1:${ports[place]}`,
    peer: `127.0.0.1:${ports[place + 3]}`,
  }));
  const cluster = members.map(({ name, peer }) => `${name}=http://${peer}`).join(',');
  const processes = members.map(
    ({ name, address, peer }) =>
      new GuardedProcess({
        program,
        args: [
          `--name=${name}`,
          `--data-dir=${join(folder, name)}`,
          `--listen-client-urls=http://${address}`,
          `--advertise-client-urls=http://${address}`,
          `--listen-peer-urls=http://${peer}`,
          `--initial-advertise-peer-urls=http://${peer}`,
          `--initial-cluster=${cluster}`,
          '--initial-cluster-state=new',
          '--log-level=error',
        ],
        logFile: join(folder, `${name}.log`),
        // etcd of this age starts on other processors than amd64 only when asked to.
        env: { ETCD_UNSUPPORTED_ARCH: process.arch === 'x64' ? '' : process.arch },
      }),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(processes.map((member) => member.stop()));
  };
  try {
    const address = await until('etcd has a leader', START_LIMIT_MS, () => leaderOf(members.map((member) => member.address)));
    return { name: 'etcd', target: { type: 'etcd', address }, pids: processes.map(({ pid }) => pid), isShared: false, stop };
  } catch (error) {
    for (const member of processes) console.error(member.lastWords());
    await stop();
    throw error;
  }
}

/** Where the member is that says it leads; undefined while none does. */
async function leaderOf(addresses: readonly string[]): Promise<string | undefined> {
  const leads = await Promise.all(
    addresses.map(async (address) => {
      const { memberId, leaderId } = await statusOf(address);
      return leaderId !== 0n && memberId === leaderId;
    }),
  );
  return addresses[leads.indexOf(true)];
}

function statusOf(address: string): Promise<{ readonly memberId: bigint; readonly leaderId: bigint }> {
  const client = new Client(address, credentials.createInsecure());
  return new Promise<{ readonly memberId: bigint; readonly leaderId: bigint }>((resolve, reject) => {
    const options = { deadline: Date.now() + CALL_LIMIT_MS };
    client.makeUnaryRequest(STATUS.path, STATUS.requestSerialize, STATUS.responseDeserialize, undefined, new Metadata(), options, (error, status) => {
      if (error === null && status !== undefined) resolve(status);
      else reject(error ?? new Error('etcd answered without a message'));
    });
  }).finally(() => client.close());
}
