import type { Target } from './target.js';
import { adminServiceTarget } from './targets/admin-service.js';
import { cli } from './targets/cli.js';
import { assignments } from './targets/assignments.js';
import { clientReplies } from './targets/client-replies.js';
import { commands } from './targets/commands.js';
import { config } from './targets/config.js';
import { countersFile } from './targets/counters-file.js';
import { dataDir } from './targets/data-dir.js';
import { handoff } from './targets/handoff.js';
import { history } from './targets/history.js';
import { httpRequests } from './targets/http-requests.js';
import { levelRecords } from './targets/level-records.js';
import { logChunk } from './targets/log-chunk.js';
import { marker } from './targets/marker.js';
import { opsFrames } from './targets/ops-frames.js';
import { peerFrames } from './targets/peer-frames.js';
import { placementServiceTarget } from './targets/placement-service.js';
import { raft } from './targets/raft.js';
import { routing } from './targets/routing.js';
import { seqService } from './targets/seq-service.js';
import { setMap } from './targets/set-map.js';
import { stateSnapshot } from './targets/state-snapshot.js';
import { storeServiceTarget } from './targets/store-service.js';

/** Every door that bytes from outside come through. */
export const targets: readonly Target[] = [
  seqService,
  opsFrames,
  httpRequests,
  storeServiceTarget,
  placementServiceTarget,
  adminServiceTarget,
  peerFrames,
  clientReplies,
  assignments,
  raft,
  commands,
  stateSnapshot,
  logChunk,
  levelRecords,
  marker,
  dataDir,
  routing,
  setMap,
  handoff,
  countersFile,
  config,
  cli,
  history,
];
