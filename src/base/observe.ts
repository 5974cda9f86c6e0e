/** Told of each event. Must not throw and must not wait: it is called from the middle of a step. */
export type Observer<Event> = (event: Event) => void;
