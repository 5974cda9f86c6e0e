import { SeqError } from '../base/errors.js';
import { DamageError } from './damage.js';
import { dataDirOf, type Identity } from './data-dir.js';
import { readIdentityFile, replaceIdentityFile } from './identity-file.js';
import { LevelStorage, type Opened } from './level-storage.js';
import { readQuarantine } from './quarantine.js';

/**
 * Makes another node of a data directory, offline: `change` does what there is to do to its content, then it is the one of
 * `next`. Resolves with the identity it has now: the one that an earlier try had begun with, if that was cut short. Cut short
 * at any point it can be run again, and until it is done no store starts there; `change` may then find what it did itself.
 * Throws INVALID_ARGUMENT while a process has the directory or when there is nothing in it, DamageError as an opening does.
 */
export async function reidentify(path: string, next: Identity, change: (opened: Opened, becomes: Identity) => Promise<void>): Promise<Identity> {
  const quarantine = await readQuarantine(path);
  if (quarantine !== undefined) throw new DamageError(`data directory ${path} is quarantined: ${quarantine.reason}`);
  const found = await readIdentityFile(path);
  if (found?.state !== 'ready') throw new SeqError('INVALID_ARGUMENT', `data directory ${path} holds no data of a store`);
  const becomes = found.next ?? next;
  const dataDir = dataDirOf(path, found, becomes);
  const failures: unknown[] = [];
  // Looked at BEFORE the first mark: what is in use, or damaged, stays as it is.
  const opened = await LevelStorage.open(dataDir, { type: 'joining' }, (error) => failures.push(error));
  try {
    // Under the database's lock. From here on a start is told that the recovery was cut short.
    await replaceIdentityFile(path, { ...found, next: becomes });
    await change(opened, becomes);
    await opened.storage.reidentify(becomes);
  } finally {
    await opened.storage.close();
  }
  if (failures.length > 0) throw failures[0];
  await replaceIdentityFile(path, { clusterId: becomes.clusterId, nodeId: becomes.nodeId, nodeUuid: becomes.nodeUuid, format: 1, state: 'ready' });
  return becomes;
}
