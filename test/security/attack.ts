import { pause } from '../jepsen/until.js';

/** How long an abuser rests before it comes again after it was cut, in ms: what costs a server is what it is sent, and not who is quick to dial. */
const AGAIN_AFTER_MS = 5;

/** Where an abuser comes from: a neighbour of the good client would share the blame, and loopback has many addresses. */
export const ABUSER_ADDRESS = '127.0.0.66';

/** What an attack is turned against, and where it writes down what became of it. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** Counts what happened to the abuser: 'opened', 'cut', or the name of a status that it got. */
  readonly note: (what: string, count?: number) => void;
}

/** What a hostile client does. It goes on until its process is ended. */
export interface Attack {
  readonly name: string;
  readonly what: string;
  readonly run: (target: Target) => Promise<void>;
}

/** So many at once, each begun anew after it ended. */
export async function keep(count: number, body: () => Promise<void>): Promise<void> {
  const one = async (): Promise<never> => {
    for (;;) {
      await body();
      await pause(AGAIN_AFTER_MS);
    }
  };
  await Promise.all(Array.from({ length: count }, one));
}
