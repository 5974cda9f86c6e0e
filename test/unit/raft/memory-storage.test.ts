import { storageSuite } from '../store/storage-suite.js';
import { MemoryStorage } from './memory-storage.js';

const disks = new Map<string, MemoryStorage>();

storageSuite('in memory', async (directory) => {
  const storage = disks.get(directory) ?? new MemoryStorage();
  disks.set(directory, storage);
  return { storage, hardState: storage.hardState, appliedIndex: storage.appliedIndex, confState: storage.confState, state: storage.state };
});
