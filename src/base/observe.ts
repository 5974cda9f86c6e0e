/** Told of each event. Must not throw and must not wait: it is called from the middle of a step. */
export type Observer<Event> = (event: Event) => void;

/** `on('maxSeqRaised', (event) => raiseMs.record(event.tookMs))`: hear one type, skip the rest. */
export function on<Event extends { readonly type: string }, Type extends Event['type']>(
  type: Type,
  handle: (event: Extract<Event, { type: Type }>) => void,
): Observer<Event> {
  return (event) => {
    if (event.type === type) handle(event as Extract<Event, { type: Type }>);
  };
}

/** One observer that tells several, in the order given. */
export function tee<Event>(...observers: readonly Observer<Event>[]): Observer<Event> {
  return (event) => {
    for (const observer of observers) observer(event);
  };
}
