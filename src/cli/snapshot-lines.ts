import { isoTime } from '../base/clock.js';
import { showVersion } from '../model/version.js';
import type { SnapshotCounts } from '../store/snapshot-check.js';
import type { SnapshotHeader } from '../store/snapshot-header.js';
import { formatAge } from './duration.js';
import type { SavedSnapshot } from './snapshot-save.js';

/** What a save is told as. */
export function savedLines({ file, fileBytes, clusterId, version, index, term, takenAtMs, sha256 }: SavedSnapshot) {
  return { file, fileBytes, clusterId, version: showVersion(version), index, term, takenAt: isoTime(takenAtMs), sha256: sha256.toString('hex') };
}

/** What a snapshot file is told as. */
export function snapshotLines(file: string, header: SnapshotHeader, { counts, nowMs }: { readonly counts: SnapshotCounts; readonly nowMs: number }) {
  const { clusterId, version, index, term, takenAtMs, stateHash, dataBytes, growth, writtenBy } = header;
  return {
    file,
    clusterId,
    version: showVersion(version),
    index,
    term,
    takenAt: isoTime(takenAtMs),
    age: formatAge(nowMs - takenAtMs),
    stateHash,
    dataBytes,
    writtenBy,
    growth,
    ...counts,
  };
}

/** One line for each fact. */
export function snapshotTable({ growth, members, ...facts }: ReturnType<typeof snapshotLines>): string {
  const lines = Object.entries(facts).map(([name, value]) => `${name}: ${String(value)}`);
  const pace = growth === undefined ? 'not known' : `${growth.maxSeqPerSecond} a second at most, observed for ${formatAge(growth.observedMs)}`;
  return `${[...lines, `members: ${members.join(', ')}`, `growth of the busiest section: ${pace}`].join('\n')}\n`;
}
