import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { SeqClient } from '../../src/client/client.js';
import { findProgram } from '../bench/rivals/find-program.js';
import { startPostgres } from '../bench/rivals/systems/postgres.js';
import { startRedis } from '../bench/rivals/systems/redis.js';
import { SeededRandom } from '../unit/seeded-random.js';
import { type Ran, TestCluster } from './cluster.js';
import { PROGRAM } from './node-process.js';

/** A million take minutes: asked for by name. */
const KEYS = Number(process.env['SEQSVR_IMPORT_KEYS'] ?? 20_000);
const SEGMENTS = 5_000;
const SAMPLES = 500;
const IMPORT_LIMIT_MS = 900_000;
const MARGIN = 1_000_000n;

/** From systems that others use, while they serve; each is skipped, and says so, where it is not installed. */
describe('seqctl import into a real cluster', function () {
  this.timeout(IMPORT_LIMIT_MS);
  let cluster: TestCluster;
  let client: SeqClient;
  let hasFailed = false;

  before(async () => {
    const geometry = { firstUid: 0, lastUid: KEYS - 1, uidsPerSection: 10_000 };
    cluster = await TestCluster.start({ stores: 1, allocs: 2, storeConfig: { geometry } });
    client = await SeqClient.connect({ endpoints: cluster.endpoints });
  });

  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    hasFailed = true;
    console.error(cluster.lastWords());
  });

  after(async () => {
    await client?.close();
    await cluster?.dispose({ keep: hasFailed });
  });

  it('from a CSV: forward only, compared afterwards, harmless when repeated', async () => {
    const file = cluster.path('counters.csv');
    writeFileSync(file, 'uid,seq\n1,70\r\n2,5000000000000\n"3","0"\n');
    const dry = await ok('--from', 'csv', '--file', file, '--dry-run');
    expect([dry['uidCount'], dry['highest'], (await client.current(2n)).seq]).to.deep.equal([3, '5000000000000', 0n]);
    expect((await seqctl('--from', 'csv', '--file', file, '--shadow')).code, 'nothing was lifted yet').to.equal(1);
    expect((await seqctl('--from', 'csv', '--file', file)).code, 'nobody confirmed it').to.equal(5);
    expect(await ok('--from', 'csv', '--file', file, '--yes')).to.deep.include({ uidCount: 3, behindCount: 0, leastAhead: '0' });
    expect(await client.next(1n)).to.equal(71n);
    expect(await client.next(2n)).to.equal(5_000_000_000_001n);
    expect(await ok('--from', 'csv', '--file', file, '--yes'), 'it takes nothing back').to.deep.include({ behindCount: 0 });
    expect(await client.next(1n)).to.equal(72n);
    const wrong = await seqctl('--from', 'csv', '--file', file, '--yes', '--margin', '9223372036854775807');
    expect([wrong.code, wrong.stderr.includes('OUT_OF_RANGE')], wrong.stderr).to.deep.equal([1, true]);
  });

  it('from a Redis under load, and no next number is one that Redis gave', async function () {
    const program = findProgram('redis-server');
    if (program === undefined) {
      console.log('      skipped: redis-server is not installed');
      this.skip();
    }
    const redis = await startRedis(program, folder('redis'), 'everysec');
    const other = new Redis({ port: redis.port, host: '127.0.0.1' });
    try {
      await other.eval(`for uid = 0, ${KEYS - 1} do redis.call('SET', 'seq:' .. uid, uid * 7919 % 100000 + 1) end`, 0);
      await other.set('seq:notes', 'no counter');
      const load = new RedisLoad(other);
      const args = ['--from', 'redis', '--redis', `127.0.0.1:${redis.port}`, '--prefix', 'seq:', '--timeout', '60s'];
      const startedMs = performance.now();
      const imported = await ok(...args, '--margin', String(MARGIN), '--yes');
      const tookS = (performance.now() - startedMs) / 1000;
      expect(imported).to.deep.include({ uidCount: KEYS, behindCount: 0, ignoredCount: 1, ignoredExample: 'seq:notes' });
      const shadow = await ok(...args, '--shadow');
      expect(shadow, 'while Redis goes on').to.deep.include({ behindCount: 0 });
      await load.stop();
      console.log(`      ${KEYS} keys in ${tookS.toFixed(0)} s, ${load.count} INCRs meanwhile; least ahead ${String(shadow['leastAhead'])}`);
      await noneRepeats(other);

      await other.set('seq:77', String((await client.current(77n)).seq + 5n));
      const behind = await seqctl(...args, '--shadow', '-o', 'json');
      expect([behind.code, JSON.parse(behind.stdout).behind[0].uid]).to.deep.equal([1, '77']);
    } finally {
      other.disconnect();
      await redis.stop();
    }
  });

  it('from the segment table of a real PostgreSQL, through a pipe', async function () {
    const program = findProgram('postgres');
    const psql = findProgram('psql');
    if (program === undefined || psql === undefined) {
      console.log('      skipped: postgresql is not installed');
      this.skip();
    }
    // Not in the cluster's folder, which is ours alone: PostgreSQL runs as somebody else.
    const home = mkdtempSync(join(tmpdir(), 'seqsvr-import-'));
    const postgres = await startPostgres(program, home);
    try {
      const { port, user } = postgres.target as { port: number; user: string };
      const connection = ['-h', '127.0.0.1', '-p', String(port), '-U', user, '-d', 'postgres', '-q', '-v', 'ON_ERROR_STOP=1'];
      const run = (sql: string) => promisify(execFile)(psql, [...connection, '-c', sql]);
      await run('CREATE TABLE segments (uid bigint PRIMARY KEY, max_id bigint NOT NULL, step int NOT NULL)');
      await run(`INSERT INTO segments SELECT uid, 3000000 + uid * 1000, 1000 FROM generate_series(0, ${SEGMENTS - 1}) AS uid`);
      for (const copy of [
        'COPY (SELECT uid, max_id FROM segments) TO STDOUT',
        'COPY (SELECT uid, max_id FROM segments) TO STDOUT WITH (FORMAT csv, HEADER)',
      ]) {
        const ran = await piped(psql, [...connection, '-c', copy], ['--from', 'postgres', '--yes', '-o', 'json']);
        expect(ran.code, ran.stderr).to.equal(0);
        expect(JSON.parse(ran.stdout)).to.deep.include({ uidCount: SEGMENTS, behindCount: 0 });
      }
      const last = BigInt(SEGMENTS - 1);
      expect((await client.next(last)) > 3_000_000n + last * 1000n).to.equal(true);
    } finally {
      await postgres.stop();
      rmSync(home, { recursive: true, force: true });
    }
  });

  async function noneRepeats(other: Redis): Promise<void> {
    const random = new SeededRandom(5);
    for (let sample = 0; sample < SAMPLES; sample += 1) {
      const uid = BigInt(random.below(KEYS));
      const given = BigInt((await other.get(`seq:${uid}`)) ?? 0);
      expect((await client.next(uid)) > given, `uid ${uid}`).to.equal(true);
    }
  }

  async function ok(...args: readonly string[]): Promise<Record<string, unknown>> {
    const ran = await seqctl(...args, '-o', 'json');
    expect(ran.code, `${args.join(' ')}: ${ran.stdout}${ran.stderr}`).to.equal(0);
    return JSON.parse(ran.stdout) as Record<string, unknown>;
  }

  function seqctl(...args: readonly string[]): Promise<Ran> {
    return run('', [...args]);
  }

  function piped(program: string, args: readonly string[], importArgs: readonly string[]): Promise<Ran> {
    return run(`"$0" ${args.map(quoted).join(' ')} | `, importArgs, program);
  }

  /** Not `cluster.run`, whose time is too short for a million. */
  function run(before: string, args: readonly string[], zero = 'sh'): Promise<Ran> {
    const command = [process.execPath, PROGRAM, 'import', ...args, '--endpoints', cluster.endpoints.join(',')].map(quoted).join(' ');
    return new Promise((resolve) => {
      const child = spawn('/bin/sh', ['-c', before + command, zero], { stdio: ['ignore', 'pipe', 'pipe'] });
      const texts = { stdout: '', stderr: '' };
      child.stdout.on('data', (bytes: Buffer) => (texts.stdout += bytes.toString()));
      child.stderr.on('data', (bytes: Buffer) => (texts.stderr += bytes.toString()));
      child.on('close', (code) => resolve({ code: code ?? -1, ...texts }));
    });
  }

  function folder(name: string): string {
    const path = cluster.path(name);
    mkdirSync(path);
    return path;
  }
});

/** Callers that still take their numbers from Redis. */
class RedisLoad {
  count = 0;
  #isStopping = false;
  readonly #running: Promise<void>;

  constructor(redis: Redis) {
    this.#running = this.#work(redis, new SeededRandom(3));
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  async #work(redis: Redis, random: SeededRandom): Promise<void> {
    while (!this.#isStopping) {
      await Promise.all(Array.from({ length: 10 }, () => redis.incr(`seq:${random.below(KEYS)}`)));
      this.count += 10;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
