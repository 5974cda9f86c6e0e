import { SeqError } from '../base/errors.js';
import { isSameGeometry, showGeometry } from '../model/geometry.js';
import type { AllocId, SectionId } from '../model/ids.js';
import type { RoutingIndex } from '../model/routing.js';
import type { WindowRun } from '../model/window.js';
import type { Registration } from '../store/client.js';

/** Throws PROTOCOL unless a table and the windows that came with it fit each other, and what AllocSvr `id` registered for. */
export function checkAssignment(options: {
  readonly index: RoutingIndex;
  readonly windows: readonly WindowRun[];
  readonly registration: Registration | undefined;
  readonly id: AllocId;
}): void {
  const { index, windows, registration, id } = options;
  const { geometry } = index.table;
  if (registration === undefined) throw new SeqError('PROTOCOL', 'a table came before the registration was answered');
  if (!isSameGeometry(geometry, registration.geometry)) {
    throw new SeqError('PROTOCOL', `the table has ${showGeometry(geometry)}, we registered for ${showGeometry(registration.geometry)}`);
  }
  let end = 0;
  for (const { firstSection, sectionCount, epoch } of windows) {
    if (firstSection < end) throw new SeqError('PROTOCOL', `the window for section ${firstSection} is out of order`);
    end = firstSection + sectionCount;
    for (const section of [firstSection, (firstSection + sectionCount - 1) as SectionId]) {
      const owner = index.ownerOf(section);
      if (owner.alloc?.id === id && owner.epoch === epoch) continue;
      const whose = `'${owner.alloc?.id ?? 'nobody'}' at epoch ${owner.epoch}`;
      throw new SeqError('PROTOCOL', `a window for section ${section} at epoch ${epoch}, but the table gives it to ${whose}`);
    }
  }
}
