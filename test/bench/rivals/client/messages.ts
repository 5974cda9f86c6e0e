import type { Figures } from '../figures.js';
import type { Target } from '../system.js';
import type { Uids } from '../uids.js';
import type { ClosedLoad } from './closed-loop.js';
import type { OpenFigures, OpenLoad } from './open-loop.js';

/** What the client machine is asked to do; one thing at a time. */
export type Order =
  | { readonly type: 'closed'; readonly target: Target; readonly uids: Uids; readonly load: ClosedLoad }
  | { readonly type: 'open'; readonly target: Target; readonly uids: Uids; readonly load: OpenLoad }
  | { readonly type: 'touch'; readonly endpoints: readonly string[]; readonly uids: Uids; readonly times: number };

/** What it answers; `ready` once, at its start. */
export type Answer =
  | { readonly type: 'ready' }
  | { readonly type: 'measured'; readonly figures: Figures }
  | { readonly type: 'offered'; readonly figures: OpenFigures }
  | { readonly type: 'touched' }
  | { readonly type: 'failed'; readonly message: string };
