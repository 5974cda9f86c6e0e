// How the scripts run npm. Plain Node without a dependency, for it runs before there are any.
import { basename } from 'node:path';

/** The very npm that started this process, when one did; pnpm and yarn set the same variable and are no npm. */
export function npmCommand(args) {
  const starter = process.env['npm_execpath'] ?? '';
  if (/^npm-cli\.[cm]?js$/.test(basename(starter))) return { command: process.execPath, args: [starter, ...args], options: {} };
  return { command: 'npm', args, options: { shell: process.platform === 'win32' } };
}
