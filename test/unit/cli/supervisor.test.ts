import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { sleep, systemClock } from '../../../src/base/clock.js';
import { systemRandom } from '../../../src/base/random.js';
import { SeqError } from '../../../src/base/errors.js';
import { Child, type ChildSpec } from '../../../src/cli/child.js';
import { layOut } from '../../../src/cli/dev-layout.js';
import { type ChildEvent, Supervisor } from '../../../src/cli/supervisor.js';
import { run } from '../store/fixture.js';

/** Stands in for a node: ready at once, notes its end; a config file with 'refuse' in it makes it fail instead. */
const PROGRAM = `
import { appendFileSync, readFileSync } from 'node:fs';
const config = process.argv[4];
if (readFileSync(config, 'utf8') === 'refuse') { console.error('error: this node refuses'); process.exit(2); }
process.on('message', ({ type }) => {
  if (type === 'hang up') { process.removeAllListeners('disconnect'); process.disconnect(); setInterval(() => {}, 1000); }
  if (type === 'stop') { appendFileSync(process.argv[1] + '.ends', config.split('/').pop() + '\\n'); process.exit(0); } });
process.on('disconnect', () => process.exit(1));
appendFileSync(process.argv[1] + '.runs', [config.split('/').pop(), process.env.SEQSVR_INCARNATION].join(' ') + '\\n');
process.send({ type: 'ready', address: 'x' });
console.error(process.env.SEQSVR_SUPERVISED, process.argv.slice(2, 4).join(' '));
`;

describe('supervisor', function () {
  this.timeout(20_000);
  let folder = '';
  let program = '';
  let supervisor: Supervisor | undefined;
  let events: ChildEvent[] = [];
  let processes: ChildProcess[] = [];
  let pids: readonly number[] = [];
  let heard: () => void = () => undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'seqsvr-supervisor-'));
    program = join(folder, 'program.mjs');
    writeFileSync(program, PROGRAM);
    events = [];
    processes = [];
  });
  afterEach(async () => {
    supervisor?.cut();
    // Whatever the supervisor believes of them.
    for (const started of processes) started.kill('SIGKILL');
    await supervisor?.stop();
    rmSync(folder, { recursive: true });
  });

  function make(options: { readonly restart: boolean; readonly refusing?: string }): Supervisor {
    mkdirSync(join(folder, 'logs'));
    const specs: ChildSpec[] = layOut({ stores: 1, allocs: 2 }).map((node) => {
      const configFile = join(folder, node.name);
      writeFileSync(configFile, node.name === options.refusing ? 'refuse' : '');
      return { ...node, configFile, logFile: join(folder, 'logs', `${node.name}.log`) };
    });
    supervisor = new Supervisor({
      specs,
      program,
      restart: options.restart,
      clock: systemClock,
      random: systemRandom,
      spawn: (file, args, how) => {
        const started = spawn(file, args, how);
        processes.push(started);
        return started;
      },
      onPids: (now) => void (pids = now),
      observe: (event) => {
        events.push(event);
        heard();
      },
    });
    return supervisor;
  }

  /** Settles when `count` events were heard. */
  function eventsHeard(count: number): Promise<void> {
    return new Promise((resolve) => {
      heard = () => (events.length >= count ? resolve() : undefined);
      heard();
    });
  }

  it('runs every node as a process of its own, with its config and its own log', async () => {
    const nodes = make({ restart: true });
    await nodes.start('store');
    expect(nodes.serving('alloc')).to.deep.equal([]);
    await nodes.start('alloc');
    const serving = [...nodes.serving('store'), ...nodes.serving('alloc')];
    expect(serving.map(({ spec }) => spec.name)).to.deep.equal(['store-1', 'alloc-1', 'alloc-2']);
    expect(new Set(serving.map(({ pid }) => pid)).size).to.equal(3);
    expect(pids).to.have.members(serving.map(({ pid }) => pid));
    await nodes.stop();
    expect(readFileSync(join(folder, 'logs', 'alloc-1.log'), 'utf8')).to.equal('1 start --config\n');
  });

  it('stops AllocSvrs before stores, so that they can release', async () => {
    const nodes = make({ restart: true });
    await nodes.start('store');
    await nodes.start('alloc');
    await nodes.stop();
    const ends = readFileSync(`${program}.ends`, 'utf8').trim().split('\n');
    expect(ends.slice(0, 2).toSorted()).to.deep.equal(['alloc-1', 'alloc-2']);
    expect(ends.slice(2)).to.deep.equal(['store-1']);
    expect(events).to.deep.equal([]);
  });

  it('starts a child that was killed again, under a new pid, and keeps its old log', async () => {
    const nodes = make({ restart: true });
    await nodes.start('alloc');
    const victim = nodes.serving('alloc')[0]!;
    process.kill(victim.pid, 'SIGKILL');
    await eventsHeard(2);
    expect(events.map(({ type, child }) => `${child.spec.name} ${type}`)).to.deep.equal(['alloc-1 gone', 'alloc-1 ready']);
    expect(events[0]).to.deep.include({ how: 'was killed by SIGKILL', restartInMs: 200 });
    const next = nodes.serving('alloc')[0]!;
    expect(next.spec.name).to.equal('alloc-1');
    expect(next.pid).not.to.equal(victim.pid);
    expect(existsSync(`${victim.spec.logFile}.1`)).to.equal(true);
  });

  describe('what may be reported as a death (DESIGN 3.3)', () => {
    /** The incarnations that the children of one name were given, in the order of their runs. */
    function runsOf(name: string): string[] {
      const lines = readFileSync(`${program}.runs`, 'utf8').trim().split('\n');
      return lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
    }

    const gone = (): ChildEvent[] => events.filter(({ type }) => type === 'gone');

    it('carries the incarnation that was fixed when this very run was spawned; each run has its own', async () => {
      const nodes = make({ restart: true });
      await nodes.start('alloc');
      for (const heardCount of [2, 4]) {
        process.kill(nodes.serving('alloc')[0]!.pid, 'SIGKILL');
        await eventsHeard(heardCount);
      }
      const runs = runsOf('alloc-1');
      expect(new Set(runs).size).to.equal(3);
      expect(gone().map(({ child }) => child.incarnation)).to.deep.equal(runs.slice(0, 2));
    });

    it('comes from the wait for the child alone: neither a lost channel nor a signal that failed is its end', async () => {
      const nodes = make({ restart: true });
      await nodes.start('alloc');
      const [victim] = processes;
      const hungUp = once(victim!, 'disconnect');
      victim!.send({ type: 'hang up' });
      await hungUp;
      victim!.emit('error', new Error('kill EPERM'));
      await sleep(systemClock, 100);
      expect(events).to.deep.equal([]);
      expect(process.kill(victim!.pid!, 0)).to.equal(true);
      process.kill(victim!.pid!, 'SIGKILL');
      await eventsHeard(1);
      expect(gone().map(({ child }) => child.spec.name)).to.deep.equal(['alloc-1']);
    });

    it('has no pid when there never was a process', async () => {
      const spec = { name: 'x', role: 'alloc', id: 1, configFile: 'x', logFile: undefined } as const;
      const child = new Child({ spec, program, incarnation: run('x').incarnation, spawn: (_file, args, how) => spawn('/nowhere/node', args, how) });
      expect(await child.gone).to.match(/could not be started/);
      expect(child.pid).to.equal(0);
    });
  });

  it('leaves a dead child down when it was told so', async () => {
    const nodes = make({ restart: false });
    await nodes.start('alloc');
    process.kill(nodes.serving('alloc')[1]!.pid, 'SIGKILL');
    await eventsHeard(1);
    expect(events[0]).to.deep.include({ type: 'gone', restartInMs: undefined });
    const before = pids;
    await sleep(systemClock, 50);
    expect(pids).to.equal(before);
    expect(nodes.serving('alloc').map(({ spec }) => spec.name)).to.deep.equal(['alloc-1']);
  });

  it('says with its last words which child could not start', async () => {
    const error = await make({ restart: true, refusing: 'alloc-2' })
      .start('alloc')
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    expect(SeqError.is(error, 'UNAVAILABLE')).to.equal(true);
    expect((error as SeqError).message)
      .to.include('alloc-2 ended with exit code 2')
      .and.to.include('this node refuses');
  });

  it('starts nothing once it was stopped', async () => {
    const nodes = make({ restart: true });
    await nodes.stop();
    const error = await nodes.start('alloc').catch((thrown: unknown) => thrown);
    expect(SeqError.is(error, 'CLOSED')).to.equal(true);
  });
});
