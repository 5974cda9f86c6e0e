import { EXIT } from './exit.js';
import type { Voices } from './member-session.js';
import type { ConnectionArgs } from './options.js';
import { print } from './output.js';

/**
 * What `--dry-run` of a change prints. All that can be asked was asked by then: what would be refused for its words, or for
 * a name that nobody has, was refused. The leader's last word, as on a quorum, comes only with the change itself.
 */
export function printDryRun(
  { output }: Voices,
  args: Pick<ConnectionArgs, 'output'>,
  plan: { readonly command: string; readonly change: string },
): number {
  print(output, args.output, { kind: 'DryRun', body: plan, table: `nothing was done; without --dry-run ${plan.change}\n` });
  return EXIT.ok;
}
