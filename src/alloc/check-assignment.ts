import { SeqError } from '../base/errors.js';
import { type Geometry, isSameGeometry, showGeometry } from '../model/geometry.js';
import type { AllocId, SectionId } from '../model/ids.js';
import type { RoutingIndex } from '../model/routing.js';
import type { WindowRun } from '../model/window.js';

/** Throws PROTOCOL unless a table and the windows that came with it fit each other, and the set that `id` registered for. */
export function checkAssignment(
  { index, windows }: { readonly index: RoutingIndex; readonly windows: readonly WindowRun[] },
  own: { readonly id: AllocId; readonly geometry: Geometry | undefined },
): void {
  const { geometry } = index.table;
  if (own.geometry === undefined) throw new SeqError('PROTOCOL', 'a table came before the registration was answered');
  if (!isSameGeometry(geometry, own.geometry)) {
    throw new SeqError('PROTOCOL', `the table has ${showGeometry(geometry)}, we registered for ${showGeometry(own.geometry)}`);
  }
  let end = 0;
  for (const { firstSection, sectionCount, epoch } of windows) {
    if (firstSection < end) throw new SeqError('PROTOCOL', `the window for section ${firstSection} is out of order`);
    end = firstSection + sectionCount;
    for (const section of [firstSection, (firstSection + sectionCount - 1) as SectionId]) {
      const owner = index.ownerOf(section);
      if (owner.alloc?.id === own.id && owner.epoch === epoch) continue;
      const whose = `'${owner.alloc?.id ?? 'nobody'}' at epoch ${owner.epoch}`;
      throw new SeqError('PROTOCOL', `a window for section ${section} at epoch ${epoch}, but the table gives it to ${whose}`);
    }
  }
}
