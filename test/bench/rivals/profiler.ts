import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';

/** Loaded before a program, by --import: profiles it from its first line to its last. What --cpu-prof does, which NODE_OPTIONS refuses. */
const file = process.env['SEQSVR_BENCH_PROFILE'];
if (file !== undefined) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.start');
  process.on('exit', () => {
    // Within one process the answer comes before post() returns.
    session.post('Profiler.stop', (error, { profile }) => {
      if (error === null) writeFileSync(file, JSON.stringify(profile));
      else console.error(error);
    });
  });
}
