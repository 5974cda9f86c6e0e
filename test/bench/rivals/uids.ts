/** Which uids a load is on: the first `perSection` of each of the first `sections`. */
export interface Uids {
  readonly sections: number;
  readonly perSection: number;
  /** How many uids a section has. */
  readonly sectionSize: number;
}

export function countOf({ sections, perSection }: Uids): number {
  return sections * perSection;
}

/** The uid at a place in [0, countOf(uids)). */
export function uidAt({ perSection, sectionSize }: Uids, place: number): number {
  const section = Math.floor(place / perSection);
  return section * sectionSize + (place - section * perSection);
}

/** Draws one of them, each as likely as the others. */
export function drawerOf(uids: Uids): () => number {
  const count = countOf(uids);
  return () => uidAt(uids, Math.floor(Math.random() * count));
}
