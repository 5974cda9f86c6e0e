import type { RaftCore, Ready, Stepped } from '../../src/raft/core.js';
import type { Message } from '../../src/raft/message.js';
import type { NodeId } from '../../src/raft/types.js';
import { ScriptError } from './data-file.js';
import { describeMessage, describeReady } from './describe.js';
import {
  type MessageTypeName,
  type MessageView,
  storageAppendReplyView,
  storageAppendView,
  storageApplyReplyView,
  storageApplyView,
  viewOf,
} from './message-view.js';
import { Output } from './output.js';
import { ReadContexts } from './read-contexts.js';
import { errorOf, type ScriptedNode } from './scripted-node.js';

/** A message under way: how it is printed, and what it does where it arrives. */
interface Parcel {
  readonly view: MessageView;
  readonly deliver: (core: RaftCore) => Stepped;
}

export interface Recipient {
  readonly id: NodeId;
  readonly drops: boolean;
}

/** Rounds of one `stabilize`: what is not quiet by then never will be, and the command fails. */
const ROUNDS_MAX = 10_000;

/** Nodes 1, 2, 3..., and the network between them: one queue, of which each command delivers what it is asked for. */
export class Environment {
  readonly nodes: ScriptedNode[] = [];
  readonly output = new Output();
  readonly contexts = new ReadContexts();
  #parcels: Parcel[] = [];

  nodeOf(id: NodeId): ScriptedNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new ScriptError(`there is no node ${id}`);
    return node;
  }

  /** Takes one Ready and prints it. Synchronous: persists, applies and acknowledges it too. */
  processReady(node: ScriptedNode): void {
    const ready = node.core.takeReady();
    if (node.isAsync) this.#handOut(node, ready);
    else this.#doAll(node, ready);
  }

  /** Does the oldest write of this node, and sends what waited for it. */
  processAppendThread(node: ScriptedNode): void {
    const work = node.appendWork.shift();
    if (work === undefined) return this.output.write('no append work to perform');
    this.output.write(`Processing:\n${describeMessage(storageAppendView(node.core.id, work, []))}\n`);
    node.persist(work);
    const { ack, replies } = work;
    this.#sendResponses([
      ...replies.map((reply) => this.#parcelOf(reply)),
      ...(ack === undefined ? [] : [acknowledgement(storageAppendReplyView(node.core.id, ack), (core) => core.appended(ack))]),
    ]);
  }

  processApplyThread(node: ScriptedNode): void {
    const entries = node.applyWork.shift();
    if (entries === undefined) return this.output.write('no apply work to perform');
    this.output.write(`Processing:\n${describeMessage({ ...storageApplyView(node.core.id, entries), responses: [] })}\n`);
    node.apply(entries);
    this.#sendResponses([acknowledgement(storageApplyReplyView(node.core.id, entries), (core) => core.applied(entries))]);
  }

  /** Queues a message as if a core had sent it, and prints it. */
  send(message: Message): void {
    const parcel = this.#parcelOf(message);
    this.#parcels.push(parcel);
    this.output.write(describeMessage(parcel.view));
  }

  /** Delivers what is under way, per recipient in the order given. Returns how many messages there were. */
  deliver(recipients: readonly Recipient[], type?: MessageTypeName): number {
    let count = 0;
    for (const { id, drops } of recipients) {
      const isTaken = ({ view }: Parcel): boolean => view.to === id && (type === undefined || view.type === type) && !(drops && isLocal(view));
      const taken = this.#parcels.filter(isTaken);
      this.#parcels = this.#parcels.filter((parcel) => !isTaken(parcel));
      for (const { view, deliver } of taken) {
        this.output.write(`${drops ? 'dropped: ' : ''}${describeMessage(view)}\n`);
        if (drops) continue;
        const error = errorOf(deliver(this.nodeOf(id).core));
        if (error !== undefined) this.output.write(`${error}\n`);
      }
      count += taken.length;
    }
    return count;
  }

  /** Lets these nodes work, and delivers to them, until there is nothing left. Each phase runs over all of them before the next. */
  stabilize(nodes: readonly ScriptedNode[]): void {
    for (let round = 0; round < ROUNDS_MAX; round++) if (!this.#stabilizeOnce(nodes)) return;
    throw new Error(`not quiet after ${ROUNDS_MAX} rounds`);
  }

  #stabilizeOnce(nodes: readonly ScriptedNode[]): boolean {
    let isBusy = false;
    const during = (node: ScriptedNode, what: string, work: () => void): void => {
      this.output.write(`> ${node.core.id} ${what}\n`);
      this.output.indented(work);
      isBusy = true;
    };
    for (const node of nodes) if (node.core.hasReady) during(node, 'handling Ready', () => this.processReady(node));
    for (const node of nodes) {
      const { id } = node.core;
      if (this.#parcels.some(({ view }) => view.to === id)) during(node, 'receiving messages', () => this.deliver([{ id, drops: false }]));
    }
    for (const node of nodes) {
      if (node.appendWork.length === 0) continue;
      during(node, 'processing append thread', () => {
        while (node.appendWork.length > 0) this.processAppendThread(node);
      });
    }
    for (const node of nodes) {
      if (node.applyWork.length === 0) continue;
      during(node, 'processing apply thread', () => {
        while (node.applyWork.length > 0) this.processApplyThread(node);
      });
    }
    return isBusy;
  }

  /** Persist BEFORE apply, apply BEFORE send, and only then is the core told that it is done. */
  #doAll(node: ScriptedNode, ready: Ready): void {
    const { core } = node;
    const { append, apply } = ready;
    const replies = append?.replies ?? [];
    const parcels = [...ready.messages, ...replies.filter(({ to }) => to !== core.id)].map((message) => this.#parcelOf(message));
    this.#print(
      ready,
      parcels.map(({ view }) => view),
    );
    if (append !== undefined) node.persist(append);
    node.apply(apply);
    this.#parcels.push(...parcels);
    for (const reply of replies) if (reply.to === core.id) core.step(reply);
    if (append?.ack !== undefined) core.appended(append.ack);
    core.applied(apply);
  }

  #handOut(node: ScriptedNode, ready: Ready): void {
    const { id } = node.core;
    const { append, apply } = ready;
    const parcels = ready.messages.map((message) => this.#parcelOf(message));
    const ackViews = append?.ack === undefined ? [] : [storageAppendReplyView(id, append.ack)];
    const replyViews = append === undefined ? [] : [...append.replies.map((reply) => this.#parcelOf(reply).view), ...ackViews];
    this.#print(ready, [
      ...parcels.map(({ view }) => view),
      ...(append === undefined ? [] : [storageAppendView(id, append, replyViews)]),
      ...(apply.length === 0 ? [] : [storageApplyView(id, apply)]),
    ]);
    this.#parcels.push(...parcels);
    if (append !== undefined) node.appendWork.push(append);
    if (apply.length > 0) node.applyWork.push(apply);
  }

  #print(ready: Ready, views: readonly MessageView[]): void {
    this.output.write(describeReady(ready, views, (context) => this.contexts.bytesOf(context)));
  }

  #sendResponses(parcels: readonly Parcel[]): void {
    this.output.write(`Responses:\n${parcels.map(({ view }) => `${describeMessage(view)}\n`).join('')}`);
    this.#parcels.push(...parcels);
  }

  #parcelOf(message: Message): Parcel {
    return { view: viewOf(message, (context) => this.contexts.bytesOf(context)), deliver: (core) => core.step(message) };
  }
}

/** From a thread of a node to that node: it always arrives, and is never refused. */
function acknowledgement(view: MessageView, tell: (core: RaftCore) => void): Parcel {
  return {
    view,
    deliver: (core) => {
      tell(core);
      return 'stepped';
    },
  };
}

/** Never lost: it does not go over a network. */
function isLocal({ from, to }: MessageView): boolean {
  return from === to || typeof from === 'string' || typeof to === 'string';
}
