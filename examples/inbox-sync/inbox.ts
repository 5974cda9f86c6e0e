import { strict as assert } from 'node:assert';

/** One message of one user. `seq` is the user's next number: it orders the messages and names the place of a device. */
export interface Message {
  readonly seq: bigint;
  readonly text: string;
}

/** What the server keeps for one user. Invariant: messages lie in rising order of seq, and only the end ever grows. */
export class Inbox {
  readonly #messages: Message[] = [];

  get messages(): readonly Message[] {
    return this.#messages;
  }

  /** 0n: no message yet. */
  get lastSeq(): bigint {
    return this.#messages.at(-1)?.seq ?? 0n;
  }

  /** A message below the last one would never reach a device that has the last one already, so it must not get in. */
  append(message: Message): void {
    assert(message.seq > this.lastSeq, 'a message is stored after every message with a smaller seq');
    this.#messages.push(message);
  }

  /** What a device that has everything up to `seq` misses, oldest first, at most `limit` messages. */
  after(seq: bigint, limit: number): Message[] {
    let low = 0;
    let high = this.#messages.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#messages[middle]?.seq ?? 0n) > seq) high = middle;
      else low = middle + 1;
    }
    return this.#messages.slice(low, low + limit);
  }
}

/**
 * Puts messages into an inbox: a number first, then the message, one at a time for each user.
 *
 * One at a time is what keeps a reader from losing a message. If 102 could be stored while 101 is still on its way, a
 * device would sync up to 102, and 101 would land behind its back. The numbers come from the cluster in any case; this
 * queue only makes "take the number" and "store the message" one step. With several writers of one inbox, that step
 * belongs into the store's transaction.
 */
export class Delivery {
  readonly #inbox: Inbox;
  readonly #next: () => Promise<bigint>;
  #tail: Promise<unknown> = Promise.resolve();

  /** `next`: the next number of the inbox's owner. */
  constructor(options: { readonly inbox: Inbox; readonly next: () => Promise<bigint> }) {
    this.#inbox = options.inbox;
    this.#next = options.next;
  }

  /** Resolves once the message is stored. When it rejects, the message is not: the number, if one was taken, is a gap. */
  send(text: string): Promise<Message> {
    const sent = this.#tail.then(async () => {
      const message = { seq: await this.#next(), text };
      this.#inbox.append(message);
      return message;
    });
    // A message that failed must not stop the ones behind it; its own sender hears of it.
    this.#tail = sent.then(
      () => undefined,
      () => undefined,
    );
    return sent;
  }
}

/** One device of the user. All it has to remember for a sync is the highest number it holds. */
export class Device {
  readonly name: string;
  readonly #messages: Message[] = [];
  #syncCount = 0;

  constructor(name: string) {
    this.name = name;
  }

  get messages(): readonly Message[] {
    return this.#messages;
  }

  get lastSeq(): bigint {
    return this.#messages.at(-1)?.seq ?? 0n;
  }

  get syncCount(): number {
    return this.#syncCount;
  }

  /** Sends the highest number it has and takes what it misses, in pages. Returns how many messages came. */
  sync(inbox: Inbox, pageSize: number): number {
    this.#syncCount++;
    let receivedCount = 0;
    for (;;) {
      const page = inbox.after(this.lastSeq, pageSize);
      this.#messages.push(...page);
      receivedCount += page.length;
      if (page.length < pageSize) return receivedCount;
    }
  }
}

/** What is wrong with a device that should hold exactly `sent`, in the order sent; empty when nothing is. */
export function findProblems(device: Device, sent: readonly string[]): string[] {
  const problems: string[] = [];
  const held = device.messages;
  if (held.length !== sent.length) problems.push(`${device.name} holds ${held.length} messages, ${sent.length} were sent`);
  for (const [index, message] of held.entries()) {
    const before = held[index - 1];
    if (before !== undefined && message.seq <= before.seq) problems.push(`${device.name} holds ${message.seq} after ${before.seq}`);
    if (message.text !== sent[index]) problems.push(`${device.name} holds '${message.text}' in place ${index}, '${sent[index]}' was sent`);
  }
  return problems;
}
