import { EventEmitter } from 'node:events';
import type { Service } from '../../src/rpc/server.js';
import type { SeededRandom } from '../unit/seeded-random.js';
import type { Frame } from './frames.js';
import { randomMessage, requestTypeOf, type Words } from './messages.js';
import { mustHold, type Outcome, Broken } from './target.js';

/** A method of a service as it stands in an input: its number is its place in the list. */
export interface Method {
  /** As in the .proto file, such as 'StoreService'. */
  readonly service: string;
  /** As in the generated code, such as 'raise'. */
  readonly method: string;
}

interface Definition {
  requestDeserialize(bytes: Buffer): unknown;
  responseSerialize(value: never): Buffer;
  responseDeserialize(bytes: Buffer): unknown;
  readonly responseStream: boolean;
}
type Handle = (call: unknown, callback?: (error: WireError | null, value?: unknown) => void) => void;
interface WireError {
  readonly code: number;
  readonly details: string;
}

/** What a call came to: the answer as its caller decodes it, or how it was refused. Pending: it waits for something. */
export type Answered = { readonly answer: unknown; readonly request: unknown } | { readonly refused: string } | 'pending';

/** One call to a service as grpc-js would make it, without its sockets. */
export class Call {
  readonly method: Method;
  answered: Answered = 'pending';

  /** `deadline`: by the wall clock of the stage. */
  constructor(services: readonly Service[], method: Method, { bytes, deadline }: { readonly bytes: Uint8Array; readonly deadline: Date }) {
    this.method = method;
    const { definition, handle } = methodOf(services, method);
    const answer = (value: unknown): unknown => definition.responseDeserialize(definition.responseSerialize(value as never));
    let request: unknown;
    try {
      request = definition.requestDeserialize(Buffer.from(bytes));
    } catch (error) {
      // grpc-js catches whatever a decoder throws, and answers INTERNAL.
      this.answered = { refused: `no message: ${error instanceof Error ? error.message : String(error)}` };
      return;
    }
    if (definition.responseStream) this.#stream(handle, request, answer);
    else
      handle({ request, getDeadline: () => deadline, cancelled: false }, (error, value) => {
        mustHold(this.answered === 'pending', 'a call is answered once');
        this.answered = error === null ? { answer: answer(value), request } : { refused: `${error.code} ${error.details}` };
      });
  }

  get outcome(): Outcome {
    const { answered, method } = this;
    if (answered === 'pending') return `pending ${method.method}`;
    return 'refused' in answered ? `${method.method} ${answered.refused}` : `ok ${method.service} ${method.method}`;
  }

  #stream(handle: Handle, request: unknown, answer: (value: unknown) => unknown): void {
    const stream = Object.assign(new EventEmitter(), {
      request,
      cancelled: false,
      destroyed: false,
      write: (value: unknown): boolean => {
        this.answered = { answer: answer(value), request };
        return true;
      },
      end: (): void => {
        if (this.answered === 'pending') this.answered = { answer: undefined, request };
      },
    });
    stream.on('error', ({ code, details }: WireError) => {
      this.answered = { refused: `${code} ${details}` };
    });
    handle(stream);
  }
}

function methodOf(services: readonly Service[], { service, method }: Method): { readonly definition: Definition; readonly handle: Handle } {
  const found = services.find(({ definition }) => definition[method]?.path.startsWith(`/seqsvr.v1.${service}/`));
  if (found === undefined) throw new Error(`there is no ${service}.${method} on this stage`);
  return { definition: found.definition[method] as unknown as Definition, handle: found.implementation[method] as unknown as Handle };
}

/** One request of any of these methods, as a frame. */
export function randomCall(methods: readonly Method[], random: SeededRandom, words: Words): Frame {
  const kind = random.below(methods.length);
  const { service, method } = methods[kind] as Method;
  return { kind, payload: randomMessage(requestTypeOf(service, method), random, words) };
}

/** For `Handlers`: what a handler throws and is no SeqError is a finding. */
export function noBugs(): { readonly onBug: (error: unknown) => void; check(): void } {
  const bugs: unknown[] = [];
  return {
    onBug: (error) => bugs.push(error),
    check: () => {
      const [bug] = bugs;
      if (bugs.length === 0) return;
      throw bug instanceof Error ? bug : new Broken(`a handler threw ${String(bug)}`);
    },
  };
}
