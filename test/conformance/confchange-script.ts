import { applySimple, type Changed, enterJoint, leaveJoint, type Refused, type Tracked } from '../../src/raft/conf-changer.js';
import { EMPTY_CONF_STATE } from '../../src/raft/types.js';
import { Args } from './args.js';
import { describeConfig, parseSteps } from './conf-text.js';
import { type Block, ScriptError } from './data-file.js';
import { describeProgressMap } from './describe.js';
import { Refusal } from './refusal.js';

export const CONFCHANGE_COMMANDS: ReadonlySet<string> = new Set(['simple', 'enter-joint', 'leave-joint']);

const SENTENCES: Readonly<Record<Refused, string>> = {
  alreadyJoint: 'config is already joint',
  notJoint: "can't leave a non-joint config",
  isJoint: "can't apply simple config change in joint config",
  noVoters: "can't make a zero-voter config joint",
  removedAllVoters: 'removed all voters',
  severalVoters: 'more than one voter changed without entering joint config',
};
const LIMITS = { messages: 10, bytes: 0 };

/** Changes of one configuration that begins empty. The last index grows with every command, so that `next` tells when a member came. */
export function confChangeScript(): (block: Block) => string {
  let tracked: Tracked = { conf: EMPTY_CONF_STATE, progress: new Map() };
  let lastIndex = 0;
  return (block) => {
    const changed = change(tracked, lastIndex++, block);
    if (typeof changed === 'string') return changed;
    if ('refused' in changed) return SENTENCES[changed.refused];
    tracked = changed;
    return `${describeConfig(tracked.conf)}\n${describeProgressMap(tracked.progress)}`;
  };
}

/** Text: what is wrong with the input. */
function change(tracked: Tracked, lastIndex: number, block: Block): Changed | string {
  if (!CONFCHANGE_COMMANDS.has(block.command)) throw new ScriptError(`unknown command "${block.command}"`);
  const args = new Args(block, { options: block.command === 'enter-joint' ? ['autoleave'] : [], input: true });
  args.exactly(0);
  try {
    const steps = parseSteps(block.input);
    if (block.command === 'simple') return applySimple(tracked, steps, { lastIndex, limits: LIMITS });
    if (block.command === 'enter-joint') {
      return enterJoint(tracked, steps, { autoLeave: args.flag('autoleave') ?? false, lastIndex, limits: LIMITS });
    }
    return steps.length > 0 ? 'this command takes no input' : leaveJoint(tracked);
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}
