import { addNodes } from './add-nodes.js';
import { type Block, ScriptError } from './data-file.js';
import { Environment } from './environment.js';
import { proposeConfChange, proposeData, readIndex } from './propose-commands.js';
import { Refusal } from './refusal.js';
import {
  campaign,
  compact,
  forgetLeader,
  printLog,
  printStates,
  printStatus,
  reportUnreachable,
  setElectionTimeout,
  setLogLevel,
  tickElection,
  tickHeartbeat,
  transferLeadership,
} from './state-commands.js';
import { deliverMessages, processAppendThread, processApplyThread, processReady, sendSnapshot, stabilize } from './traffic-commands.js';

type Command = (env: Environment, block: Block) => void;

/** All that the language has. `_breakpoint` is a place for a debugger to stop at. */
export const INTERACTION_COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['_breakpoint', () => undefined],
  ['add-nodes', addNodes],
  ['campaign', campaign],
  ['compact', compact],
  ['deliver-msgs', deliverMessages],
  ['forget-leader', forgetLeader],
  ['log-level', setLogLevel],
  ['process-append-thread', processAppendThread],
  ['process-apply-thread', processApplyThread],
  ['process-ready', processReady],
  ['propose', proposeData],
  ['propose-conf-change', proposeConfChange],
  ['raft-log', printLog],
  ['raft-state', printStates],
  ['read-index', readIndex],
  ['report-unreachable', reportUnreachable],
  ['send-snapshot', sendSnapshot],
  ['set-randomized-election-timeout', setElectionTimeout],
  ['stabilize', stabilize],
  ['status', printStatus],
  ['tick-election', tickElection],
  ['tick-heartbeat', tickHeartbeat],
  ['transfer-leadership', transferLeadership],
]);

/** Runs the commands of one file, one after the other, over nodes that begin with none. Each call returns what a command prints. */
export function interactionScript(): (block: Block) => string {
  const env = new Environment();
  return (block) => {
    const command = INTERACTION_COMMANDS.get(block.command);
    if (command === undefined) throw new ScriptError(`unknown command "${block.command}"`);
    env.output.reset();
    try {
      command(env, block);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // An error is told at every level.
      if (env.output.isQuiet) return error.message;
      env.output.write(error.message);
    }
    return env.output.text === '' ? 'ok' : env.output.text;
  };
}
