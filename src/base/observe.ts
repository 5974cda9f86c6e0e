/** Told of each event. Must not throw and must not wait: it is called from the middle of a step. */
export type Observer<Event> = (event: Event) => void;

/** One observer that tells several, in this order. */
export function observeAll<Event>(...observers: readonly Observer<Event>[]): Observer<Event> {
  return (event) => {
    for (const observe of observers) observe(event);
  };
}

/** An observer made of one handler for each type of event that matters to it. */
export function observeTypes<Event extends { readonly type: string }>(
  handlers: {
    readonly [Type in Event['type']]?: (event: Extract<Event, { readonly type: Type }>) => void;
  },
): Observer<Event> {
  const handlerOf: Readonly<Record<string, ((event: never) => void) | undefined>> = handlers;
  // The handler under an event's own type takes that event.
  return (event) => handlerOf[event.type]?.(event as never);
}
