/** What must come about now and then, or the simulator does not test what it is there for. */
export const SITUATIONS: readonly string[] = [];
