import { execFile } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePorts } from '../../../jepsen/ports.js';
import { until } from '../../../jepsen/until.js';
import { GuardedProcess } from '../guarded-process.js';
import type { RivalSystem } from '../system.js';

const START_LIMIT_MS = 30_000;
const INITDB_LIMIT_MS = 60_000;
const UIDS = 1_000_000;
const CONNECTIONS_MAX = 200;
/** The name of PostgreSQL's own superuser here; nobody of this machine. */
const USER = 'bench';
/** Whose it is when we are root, which PostgreSQL refuses to run as. */
const ACCOUNTS = ['postgres', 'nobody'];

type Owner = { readonly uid: number; readonly gid: number };

/** One PostgreSQL, its settings its own but for the number of connections, with a row for each uid. */
export async function startPostgres(program: string, folder: string): Promise<RivalSystem> {
  const owner = userInfo().uid === 0 ? accountOf(ACCOUNTS) : undefined;
  const home = join(folder, 'postgres');
  mkdirSync(home);
  if (owner !== undefined) chownSync(home, owner.uid, owner.gid);
  // It has to get there as well; what it does not own it can still only pass through.
  if (owner !== undefined) chmodSync(folder, 0o711);
  const dataDir = join(home, 'data');
  const options = { cwd: home, timeout: INITDB_LIMIT_MS, ...owner };
  await promisify(execFile)(
    join(dirname(program), 'initdb'),
    ['-D', dataDir, '-U', USER, '--auth=trust', '--no-sync', '-E', 'UTF8', '--locale=C'],
    options,
  );
  const [port = 0] = await freePorts(1);
  const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '', max_connections: CONNECTIONS_MAX, synchronous_commit: 'on' };
  const server = new GuardedProcess({
    program,
    args: ['-D', dataDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    logFile: join(folder, 'postgres.log'),
    owner,
    // Immediate shutdown: all its processes end, and nobody needs the data any more.
    signal: 'QUIT',
  });
  try {
    await until(`PostgreSQL answers on port ${port}`, START_LIMIT_MS, () => fill(port));
  } catch (error) {
    console.error(server.lastWords());
    await server.stop();
    throw error;
  }
  return { name: 'postgres', target: { type: 'postgres', port, user: USER }, pids: [server.pid], isShared: true, stop: () => server.stop() };
}

async function fill(port: number): Promise<true> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: USER, database: 'postgres' });
  await client.connect();
  try {
    await client.query('CREATE TABLE seqs (uid bigint PRIMARY KEY, seq bigint NOT NULL)');
    await client.query(`INSERT INTO seqs SELECT uid, 0 FROM generate_series(0, ${UIDS - 1}) AS uid`);
    await client.query('VACUUM ANALYZE seqs');
    return true;
  } finally {
    await client.end();
  }
}

/** The first of these accounts that this machine has. Throws when there is none. */
function accountOf(names: readonly string[]): Owner {
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const [found] = names.flatMap((name) => entries.filter(([account]) => account === name));
  if (found === undefined) throw new Error(`PostgreSQL does not run as root, and there is none of the accounts ${names.join(', ')}`);
  return { uid: Number(found[2]), gid: Number(found[3]) };
}
