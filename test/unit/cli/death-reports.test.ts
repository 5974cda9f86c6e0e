import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { DeathReports, type ReportEvent } from '../../../src/cli/death-reports.js';
import type { StoreClient } from '../../../src/store/client.js';
import { run } from '../store/fixture.js';
import { VirtualClock } from '../virtual-clock.js';

type Ask = Parameters<StoreClient['reportDeath']>;

const { allocId: name, incarnation } = run('a1');
const CHILD = { spec: { name, role: 'alloc', id: 1, configFile: 'x', logFile: undefined }, incarnation, pid: 7 } as const;

/** A store that answers each report as `answer` does. */
function stage(answer: () => Promise<void>) {
  const asked: Ask[] = [];
  const events: ReportEvent[] = [];
  const store = {
    reportDeath: (...ask: Ask) => {
      asked.push(ask);
      return answer();
    },
    close: () => undefined,
  };
  return { asked, events, reports: new DeathReports({ store, clock: new VirtualClock(), observe: (event) => void events.push(event) }) };
}

describe('reports of deaths', () => {
  it('name the run that ended and say how, and are tried for longer than a lease', async () => {
    const { asked, events, reports } = stage(() => Promise.resolve());
    await reports.report(CHILD, 'was killed by SIGKILL');
    const [who, { timeoutMs }] = asked[0]!;
    expect(who).to.deep.equal({ allocId: name, incarnation, reason: 'a1 was killed by SIGKILL, as its supervisor saw' });
    expect(timeoutMs).to.be.within(4_000, 60_000);
    expect(events).to.deep.equal([{ type: 'deathReported', allocId: name, incarnation, tookMs: 0 }]);
  });

  it('are not made of what never ran', async () => {
    const { asked, reports } = stage(() => Promise.resolve());
    await reports.report({ ...CHILD, pid: 0 }, 'could not be started');
    expect(asked).to.deep.equal([]);
  });

  it('that are refused or come too late are told, and harm nobody: the lease is waited out', async () => {
    const error = new SeqError('INVALID_ARGUMENT', 'there is no AllocSvr a1', { definite: true });
    const { events, reports } = stage(() => Promise.reject(error));
    await reports.report(CHILD, 'ended with exit code 2');
    expect(events).to.deep.equal([{ type: 'deathNotReported', allocId: name, incarnation, error }]);
  });

  it('are given up in silence once nobody is to hear of them', async () => {
    let refuse: (error: SeqError) => void = () => undefined;
    const { asked, events, reports } = stage(() => new Promise((_resolve, reject) => (refuse = reject)));
    const done = reports.report(CHILD, 'was killed by SIGKILL');
    reports.close();
    expect(asked[0]![1].signal?.aborted).to.equal(true);
    refuse(new SeqError('ABORTED', 'closed'));
    await done;
    expect(events).to.deep.equal([]);
  });

  it('do not hide a bug', async () => {
    const { reports } = stage(() => Promise.reject(new Error('bug')));
    expect(await reports.report(CHILD, 'x').catch((error: unknown) => (error as Error).message)).to.equal('bug');
  });

  it('are limited in number', async () => {
    const { asked, reports } = stage(() => new Promise(() => undefined));
    for (let count = 0; count < 300; count += 1) void reports.report(CHILD, 'was killed by SIGKILL');
    expect(asked).to.have.length(256);
  });
});
