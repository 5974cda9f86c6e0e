import type { Attack } from '../attack.js';
import { CONNECTION_ATTACKS } from './connections.js';
import { MESSAGE_ATTACKS } from './messages.js';
import { OPERATION_ATTACKS } from './operations.js';
import { STREAM_ATTACKS } from './streams.js';

/** What is measured when nobody attacks: where this misses its bounds, the machine is too busy for any of the others to say something. */
const NOBODY: Attack = {
  name: 'nobody',
  what: 'no attack at all: what the machine itself does to the figures',
  run: ({ note }) => Promise.resolve(note('nothing')),
};

export const ATTACKS: readonly Attack[] = [NOBODY, ...CONNECTION_ATTACKS, ...STREAM_ATTACKS, ...MESSAGE_ATTACKS, ...OPERATION_ATTACKS];
