import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { parse } from 'yaml';
import { COMMANDS } from '../../src/cli/command-tree.js';
import { JSON_SHAPES } from '../../src/cli/json-shapes.js';
import { type DevCluster, startDevCluster } from './cluster.js';
import { mismatches } from './shape.js';

/** Groups that have live tests of their own: they make or change what one running cluster cannot be used for. */
const ELSEWHERE = ['dev', 'start'];
/** Groups of which each command has a step here. */
const WALKED = ['seq', 'cluster', 'endpoint', 'route', 'member', 'leader', 'section', 'alloc', 'arbiter', 'policy', 'lease', 'set', 'snapshot'];

/** How often it is asked whether the sections lie still. */
const ASK_EVERY_MS = 500;

interface Step {
  readonly line: string;
  /** Default: 0. */
  readonly codes?: readonly number[];
  /** What it prints as JSON. Absent: nothing on stdout. */
  readonly kind?: string;
  /** It has no --endpoints. */
  readonly isByContext?: true;
  /** Words on stderr. */
  readonly says?: string;
}

/** What one caller saw: a history that `seqctl verify` finds nothing wrong with. */
const HISTORY = `${JSON.stringify({
  id: 0,
  client: 'w1',
  call: 'next',
  uid: '42',
  count: 1,
  invokedNs: 1_000,
  returnedNs: 9_000,
  outcome: { type: 'numbers', first: '7', last: '7' },
})}\n`;

/** In this order, on one cluster. `ADDRESS` is where it is, `FOLDER` its data, `OTHER` the AllocSvr that has not the last section. */
const STEPS: readonly Step[] = [
  { line: 'seq next 42', kind: 'Sequence' },
  { line: 'seq next 42 -n 5', kind: 'Sequence' },
  { line: 'seq current 42', kind: 'CurrentSequence' },
  { line: 'seq tail 42 -n 1', kind: 'CurrentSequence' },
  { line: 'seq next 18446744073709551615', codes: [2], says: 'uid must be in' },
  { line: 'cluster status', kind: 'ClusterStatus' },
  { line: 'cluster info', kind: 'ClusterInfo' },
  { line: 'endpoint health', kind: 'EndpointHealth' },
  { line: 'endpoint health --cluster', kind: 'EndpointHealth' },
  { line: 'endpoint status --cluster', kind: 'EndpointStatus' },
  { line: 'endpoint hash', kind: 'EndpointHash' },
  { line: 'route show', kind: 'RoutingTable' },
  { line: 'route explain 42', kind: 'RouteExplanation' },
  { line: 'route explain 99999999999', codes: [2], says: 'uid must be in' },
  { line: 'member list', kind: 'MemberList' },
  { line: 'member add store-4 127.0.0.1:1', codes: [3], says: 'store-4 does not answer' },
  { line: 'member promote store-2 --dry-run', kind: 'DryRun' },
  { line: 'member promote store-2', codes: [2], says: 'store-2' },
  { line: 'member remove store-9 --yes', codes: [2], says: 'no member is called store-9; there are store-1, store-2, store-3' },
  { line: 'member remove store-3 --dry-run', kind: 'DryRun' },
  { line: 'member remove store-3', codes: [5], says: 'give --yes to mean it' },
  { line: 'member replace store-3 --dry-run', codes: [2], says: 'is no case for it' },
  { line: 'member replace store-3', codes: [2], says: 'is no case for it' },
  { line: 'member update store-3 --address 127.0.0.1:9 --dry-run', kind: 'DryRun' },
  { line: 'leader show', kind: 'Leader' },
  { line: 'leader transfer --dry-run', kind: 'DryRun' },
  { line: 'leader transfer store-9', codes: [2], says: 'store-9' },
  { line: 'leader transfer', kind: 'LeaderTransferred' },
  { line: 'leader step-down', kind: 'LeaderTransferred' },
  { line: 'section list', kind: 'SectionList' },
  { line: 'section show 7', kind: 'Section' },
  { line: 'section show 9999999', codes: [2], says: 'is not one of this set' },
  { line: 'section move 42949 --to OTHER --plan', kind: 'SectionMoves' },
  { line: 'section move 42949 --to OTHER', codes: [5], says: 'give --yes to mean it' },
  { line: 'section move 42949 --to OTHER --yes', kind: 'SectionMoves' },
  { line: 'section rebalance --dry-run', kind: 'SectionMoves' },
  { line: 'section rebalance --yes', kind: 'SectionMoves' },
  { line: 'alloc list', kind: 'AllocList' },
  { line: 'alloc drain alloc-2 --dry-run', kind: 'DryRun' },
  { line: 'alloc drain alloc-2 --no-wait', kind: 'AllocDrained' },
  { line: 'alloc resume alloc-2', kind: 'AllocResumed' },
  { line: 'alloc remove alloc-2 --dry-run', kind: 'DryRun' },
  { line: 'alloc remove alloc-2', codes: [5], says: 'give --yes to mean it' },
  { line: 'alloc remove alloc-9 --yes', codes: [2], says: 'no AllocSvr is called alloc-9' },
  { line: 'arbiter status', kind: 'ArbiterStatus' },
  { line: 'arbiter history --limit 5', kind: 'ArbiterHistory' },
  { line: 'arbiter pause --dry-run', kind: 'DryRun' },
  { line: 'arbiter pause', kind: 'Policy', says: 'nothing is given away' },
  { line: 'arbiter resume', kind: 'Policy' },
  { line: 'policy show', kind: 'Policy' },
  { line: 'policy set --moves 128', kind: 'Policy' },
  { line: 'lease show', kind: 'Lease' },
  { line: 'lease set --lease 4s --dry-run', kind: 'Lease' },
  { line: 'lease set --lease 1ms', codes: [2], says: 'lease' },
  { line: 'set list', kind: 'SetMap', says: 'there is only the set that answers' },
  { line: 'set add west --seeds 127.0.0.1:1', codes: [3], says: '127.0.0.1:1' },
  { line: 'snapshot save FOLDER/t.snap', kind: 'SnapshotSaved' },
  { line: 'snapshot save FOLDER/t.snap', codes: [5], says: 'is there already' },
  { line: 'snapshot status FOLDER/t.snap', kind: 'SnapshotStatus' },
  { line: 'snapshot status FOLDER/history.jsonl', codes: [2], says: 'is no snapshot of seqsvr' },
  { line: 'snapshot verify FOLDER/t.snap', kind: 'SnapshotVerification' },
  { line: 'snapshot list FOLDER', codes: [4, 0], kind: 'SnapshotList', says: 'has no good snapshot' },
  { line: 'snapshot schedule --dir FOLDER --once', says: 'saved FOLDER' },
  { line: 'snapshot list FOLDER --max-age 5m', kind: 'SnapshotList' },
  { line: 'snapshot restore FOLDER/t.snap --config FOLDER/config/store-1.yaml --data-dir FOLDER/x', codes: [5], says: '--bump auto' },
  {
    line: 'snapshot restore FOLDER/t.snap --config FOLDER/config/store-1.yaml --data-dir FOLDER/x --bump auto',
    codes: [5],
    says: 'an id of its own',
  },
  { line: 'import --from csv --file FOLDER/counters.csv --dry-run', kind: 'Import' },
  { line: 'import --from csv --file FOLDER/counters.csv', codes: [5], says: 'give --yes to mean it' },
  { line: 'import --from csv --file FOLDER/counters.csv --yes', kind: 'Import' },
  { line: 'import --from csv --file FOLDER/counters.csv --shadow', kind: 'Import' },
  { line: 'store recover --force-new-cluster --config FOLDER/config/store-1.yaml --dry-run', kind: 'DryRun' },
  { line: 'store recover --force-new-cluster --config FOLDER/config/store-1.yaml', codes: [5], says: 'FORCED RECOVERY' },
  { line: 'bench --duration 200ms --warm-up 0s --callers 4 --yes', kind: 'Bench' },
  { line: 'bench', codes: [5], says: 'give --yes to mean it' },
  // Whether it passes is a matter of the machine that the tests run on.
  { line: 'check perf --duration 300ms --warm-up 0s --yes', codes: [0, 1], kind: 'PerformanceCheck' },
  { line: 'verify --history FOLDER/history.jsonl', kind: 'Verification' },
  { line: 'cert create-ca --out FOLDER/tls', kind: 'CertificateMade' },
  {
    line: 'cert create-node --role store --name s1 --host s1.example,10.0.0.1 --ca-cert FOLDER/tls/ca.crt --ca-key FOLDER/tls/ca.key --out FOLDER/tls',
    kind: 'CertificateMade',
  },
  {
    line: 'cert create-client --role admin --name carol --days 3 --ca-cert FOLDER/tls/ca.crt --ca-key FOLDER/tls/ca.key --out FOLDER/tls',
    kind: 'CertificateMade',
  },
  { line: 'cert inspect FOLDER/tls/ca.crt FOLDER/tls/s1.crt', kind: 'Certificates' },
  { line: 'cert inspect FOLDER/tls/carol.crt', codes: [4], kind: 'Certificates' },
  { line: 'config check FOLDER/config', kind: 'ConfigCheck' },
  { line: 'config show FOLDER/config/store-1.yaml', kind: 'ConfigSettings' },
  { line: 'config get-contexts', kind: 'ContextList', says: 'there are none' },
  { line: 'config set-context here --endpoints ADDRESS --timeout 10s', kind: 'Context' },
  { line: 'config set-context nowhere --endpoints 127.0.0.1:1', kind: 'Context' },
  { line: 'config use-context elsewhere', codes: [2], says: 'there are here, nowhere' },
  { line: 'config use-context nowhere', kind: 'Context' },
  { line: 'config view', kind: 'Settings' },
  { line: 'leader show', isByContext: true, codes: [3], says: '127.0.0.1:1' },
  { line: 'leader show --context here', isByContext: true, kind: 'Leader' },
  { line: 'init --peers a=127.0.0.1:7071 --out FOLDER/init', kind: 'ConfigWritten', says: 'start ALL stores' },
  { line: 'init --peers a=127.0.0.1:7071 --out FOLDER/init', codes: [5], says: 'nothing was written' },
  { line: 'doctor', codes: [0, 4], kind: 'Doctor' },
  { line: 'check fsync --folder FOLDER', codes: [0, 4], kind: 'Doctor' },
  { line: 'check clock', kind: 'Doctor' },
  { line: 'check network', kind: 'Doctor' },
  { line: 'debug bundle --out FOLDER/debug.tar.gz --config FOLDER/config/store-1.yaml', kind: 'DebugBundle' },
  { line: 'version', kind: 'Version' },
];

describe('the transcript of the whole command tree', function () {
  this.timeout(60_000);
  let cluster: DevCluster;
  let other = '';
  const configHome = process.env['XDG_CONFIG_HOME'];

  before(async function () {
    this.timeout(90_000);
    cluster = await startDevCluster();
    writeFileSync(join(cluster.folder, 'history.jsonl'), HISTORY);
    writeFileSync(join(cluster.folder, 'counters.csv'), 'uid,seq\n7,70\n');
    // The contexts of whoever runs the tests are no part of them.
    process.env['XDG_CONFIG_HOME'] = cluster.folder;
    await untilDealtOut();
  });
  /** A cluster that has just started may still deal its sections out; what is moved meanwhile is moved on. Sets `other`. */
  async function untilDealtOut(): Promise<void> {
    for (;;) {
      const plan = await run('section rebalance --plan', ...at(''), '-o', 'json');
      if (plan.code === 0 && (JSON.parse(plan.out) as { moves: unknown[] }).moves.length === 0) break;
      // Asking takes a processor too, which the cluster needs.
      await delay(ASK_EVERY_MS);
    }
    const { sections } = JSON.parse((await run('section list', ...at(''), '-o', 'json')).out) as { sections: { alloc: string }[] };
    other = sections.at(-1)?.alloc === 'alloc-1' ? 'alloc-2' : 'alloc-1';
  }

  after(async function () {
    this.timeout(30_000);
    if (configHome === undefined) delete process.env['XDG_CONFIG_HOME'];
    else process.env['XDG_CONFIG_HOME'] = configHome;
    await cluster?.stop();
  });

  async function run(line: string, ...more: string[]) {
    // Imported as the program imports its commands, so that both have the same SeqError, whatever loads the tests.
    const { runProgram } = await import('../../src/cli/program.js');
    let out = '';
    let talk = '';
    const output = { out: (text: string) => void (out += text), talk: (words: string) => void (talk += `${words}\n`) };
    const terminal = { isInteractive: false, isWatched: false, ask: () => Promise.resolve('') };
    const args = line.replaceAll('FOLDER', cluster.folder).replaceAll('ADDRESS', cluster.address).replaceAll('OTHER', other).split(' ');
    const code = await runProgram([...args, ...more], { name: 'seqctl', output, terminal });
    return { code, out, talk };
  }

  /** Commands that ask a cluster have the option; the others refuse it. */
  const isOffline = (line: string): boolean => /^(store|verify|init|config|version|cert|snapshot (status|verify|list|restore))\b/.test(line);
  const at = (line: string): string[] => (isOffline(line) ? [] : ['--endpoints', cluster.address]);

  for (const { line, codes = [0], kind, says, isByContext } of STEPS) {
    it(`seqctl ${line}`, async () => {
      const { code, out, talk } = await run(line, ...(isByContext === true ? [] : at(line)), '-o', 'json');
      expect(codes, `${out}${talk}`).to.include(code);
      if (says !== undefined) expect(talk).to.include(says.replace('FOLDER', cluster.folder));
      if (kind === undefined) {
        expect(out).to.equal('');
        return;
      }
      const { apiVersion, kind: printed, ...body } = JSON.parse(out) as Record<string, unknown>;
      expect([apiVersion, printed]).to.deep.equal(['seqsvr/v1', kind]);
      expect(mismatches(body, JSON_SHAPES[kind] ?? 'no shape is documented'), out).to.deep.equal([]);
    });
  }

  it('has a step for every command that one cluster is enough for', () => {
    const walked = STEPS.map(({ line }) => line);
    for (const [group, commands] of Object.entries(COMMANDS)) {
      if (ELSEWHERE.includes(group) || !WALKED.includes(group)) continue;
      for (const command of commands) {
        expect(
          walked.some((line) => line.startsWith(`${group} ${command}`)),
          `${group} ${command}`,
        ).to.equal(true);
      }
    }
  });

  it('shows people what it shows programs: a table, a wider one, and YAML', async () => {
    for (const { line, kind, codes = [0] } of STEPS) {
      // Once more is the same again only for what changes nothing.
      if (kind === undefined || !/ (list|show|status|info|health|hash|explain|history)\b|--dry-run/.test(line)) continue;
      const [table, wide, yaml] = await Promise.all(['table', 'wide', 'yaml'].map((format) => run(line, ...at(line), '-o', format)));
      expect(table?.out, line)
        .to.match(/\S/)
        .and.not.to.match(/undefined|\[object|NaN/);
      expect(wide?.out.split('\n')[0]?.length, line).to.be.at.least(table?.out.split('\n')[0]?.length ?? 0);
      expect(parse(yaml?.out ?? ''), line).to.include({ apiVersion: 'seqsvr/v1', kind });
      expect(codes).to.include(table?.code);
    }
  });

  it('completes names as the cluster has them, and waits for no cluster that is not there', async () => {
    expect((await run(`__complete --endpoints ${cluster.address} member remove`, '')).out).to.equal('store-1\nstore-2\nstore-3\n');
    expect((await run(`__complete --endpoints ${cluster.address} section move 5 --to`, 'alloc-1')).out).to.equal('alloc-1\n');
    expect((await run('__complete config use-context', '')).out).to.equal('here\nnowhere\n');
    expect(await run('__complete --endpoints 127.0.0.1:1 member remove', '')).to.deep.equal({ code: 0, out: '', talk: '' });
  });

  it('has exit code 3 where nobody listens, and 2 for what is no command, whatever the format', async () => {
    expect((await run('cluster status --endpoints 127.0.0.1:1 --timeout 200ms -o json')).code).to.equal(3);
    expect((await run('endpoint health --endpoints 127.0.0.1:1 -o json')).code).to.equal(3);
    expect((await run('endpoint helth')).code).to.equal(2);
  });

  describe('while nodes die', () => {
    const status = async () => {
      const { code, out } = await run('cluster status', ...at('cluster status'), '-o', 'json');
      return { code, view: JSON.parse(out) as { health: string; nodes: { name: string; role: string; pid?: number; state: string }[] } };
    };
    const kill = async (isVictim: (node: { readonly name: string; readonly role: string; readonly state: string }) => boolean): Promise<void> => {
      for (const node of (await status()).view.nodes) if (isVictim(node) && node.pid !== undefined) process.kill(node.pid, 'SIGKILL');
    };
    const until = async (health: string, code: number): Promise<void> => {
      let seen = await status();
      // A few leases at most; the suite's timeout is the limit.
      while (seen.view.health !== health) seen = await status();
      expect(seen.code).to.equal(code);
    };

    it('is healthy, exit code 0, when all live', () => until('healthy', 0));

    it('is degraded, exit code 4, without one of three stores, and its endpoint is unavailable, exit code 3', async () => {
      const dead = (await status()).view.nodes.find(({ name }) => name === 'store-3') as unknown as { readonly address: string };
      await kill(({ name }) => name === 'store-3');
      await until('degraded', 4);
      expect((await run(`endpoint health --endpoints ${dead.address}`)).code).to.equal(3);
      expect((await run('endpoint health --cluster', ...at(''))).code).to.equal(4);
      expect((await run('seq next 42', ...at(''))).code).to.equal(0);
    });

    it('refuses for safety, exit code 5, to remove a store that the rest cannot do without', async () => {
      // Until the leader misses it, too; the suite's timeout is the limit.
      while (!/store-3 .* down/.test((await run('member list', ...at(''))).out));
      const { code, talk } = await run('member remove store-2 --yes --timeout 10s', ...at(''));
      expect(talk).to.include('WOULD_LOSE_QUORUM');
      expect(code).to.equal(5);
    });
  });
});
