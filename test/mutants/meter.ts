import { writeFileSync } from 'node:fs';

// Loaded into a child before its program: leaves behind how much of the processors it took, in microseconds, all threads together.
process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  writeFileSync(process.env['SEQSVR_CPU_FILE'] ?? '', String(user + system));
});
