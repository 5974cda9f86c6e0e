import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';

/**
 * Loaded before a program, by --import: profiles it from one SIGUSR2 to the next. --cpu-prof, which NODE_OPTIONS refuses, would show
 * its start and its end as well.
 */
const file = process.env['SEQSVR_BENCH_PROFILE'];
if (file !== undefined) process.once('SIGUSR2', () => profileInto(file));

function profileInto(path: string): void {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.start');
  process.once('SIGUSR2', () => {
    // Within one process the answer comes before post() returns, so the file is there before the process can be told to end.
    session.post('Profiler.stop', (error, { profile }) => {
      if (error === null) writeFileSync(path, JSON.stringify(profile));
      else console.error(error);
    });
  });
}
