// A client of seqsvr as one would write it in any language that has gRPC: from the .proto files alone, unary calls, nothing of our library.
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials, loadPackageDefinition, Metadata, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** How often in a row a NOT_OWNER is followed: two nodes that point at each other must not keep a call busy. */
const HOPS_MAX = 3;
/** One try of a call, in ms; the whole call has `timeoutMs`. */
const TRY_TIMEOUT_MS = 2_000;
/** Waits between tries grow from the first to the second of these, in ms, with jitter. */
const BACKOFF_MS = [20, 1_000];
/** What a NextManyRequest may have. */
const UIDS_PER_REQUEST_MAX = 10_000;

/** What a server said in the trailer `seqsvr-error-bin`, or a bare gRPC status, which never says what was done. */
export class SeqsvrError extends Error {
  constructor({ code, definite, message, redirectAddress = '', retryAfterMs = 0 }) {
    super(`${code}: ${message}`);
    Object.assign(this, { code, definite, redirectAddress, retryAfterMs });
  }
}

/** Trying again is safe for all calls here: a lost reply costs a gap, never a repeat. */
const RETRYABLE = new Set(['NOT_OWNER', 'UNAVAILABLE', 'TIMEOUT', 'RESOURCE_EXHAUSTED', 'CLOSED']);

export class RawSeqClient {
  /** What it did beside plain calls. */
  counts = { tablesLearned: 0, redirectsFollowed: 0, retries: 0 };
  #protos;
  #seeds;
  #timeoutMs;
  #table;
  #clients = new Map();

  /** `protoDir` has the folder seqsvr/v1 with the published files; `seeds` are addresses of any nodes. */
  constructor({ protoDir, seeds, timeoutMs = 10_000 }) {
    // 64-bit fields as text: a JavaScript number would lose digits above 2^53.
    this.#protos = loadSync('seqsvr/v1/seq.proto', { includeDirs: [protoDir], longs: String, defaults: true });
    this.#seeds = seeds;
    this.#timeoutMs = timeoutMs;
  }

  /** `count` neighbouring numbers for a uid: { first, last }. All are above `floor`, the highest number that the caller has seen. */
  async next(uid, { count = 1, floor = 0n } = {}) {
    const { first, last } = await this.#onOwner(uid, 'Next', { uid: `${uid}`, count, floor: `${floor}` });
    return { first: BigInt(first), last: BigInt(last) };
  }

  /** The last number handed out, and if it is exact: { seq, exact }. */
  async current(uid) {
    const { seq, exact } = await this.#onOwner(uid, 'Current', { uid: `${uid}` });
    return { seq: BigInt(seq), exact };
  }

  /** A number for each uid, in the order asked: a bigint or a SeqsvrError each. One request for each owner. */
  async nextMany(uids) {
    const deadline = Date.now() + this.#timeoutMs;
    const answers = Array.from({ length: uids.length });
    let places = uids.map((_, place) => place);
    for (let tries = 0; places.length > 0; tries++) {
      if (tries > 0) await this.#pause(tries, 0, deadline);
      const groups = await this.#byOwner(uids, places, deadline);
      await Promise.all([...groups].map(([address, group]) => this.#nextGroup(address, { uids, group, answers, deadline })));
      const isLate = Date.now() >= deadline;
      places = isLate ? [] : places.filter((place) => RETRYABLE.has(answers[place].code));
    }
    return answers;
  }

  close() {
    for (const client of this.#clients.values()) client.close();
  }

  async #nextGroup(address, { uids, group, answers, deadline }) {
    for (let from = 0; from < group.length; from += UIDS_PER_REQUEST_MAX) {
      const part = group.slice(from, from + UIDS_PER_REQUEST_MAX);
      try {
        const { items } = await this.#call(address, 'SeqService', 'NextMany', { uids: part.map((place) => `${uids[place]}`) }, deadline);
        for (const [at, place] of part.entries()) answers[place] = items[at].error ? new SeqsvrError(items[at].error) : BigInt(items[at].seq);
      } catch (error) {
        for (const place of part) answers[place] = error;
      }
    }
  }

  async #byOwner(uids, places, deadline) {
    const table = this.#table ?? (await this.#learn(deadline));
    const groups = new Map();
    for (const place of places) {
      const address = ownerOf(table, uids[place]) ?? anyAlloc(table);
      if (!groups.has(address)) groups.set(address, []);
      groups.get(address).push(place);
    }
    return groups;
  }

  /** One call to whoever owns the uid: follows redirects at once, waits before it asks again, learns the table anew. */
  async #onOwner(uid, method, request) {
    const deadline = Date.now() + this.#timeoutMs;
    let redirect;
    for (let tries = 0, hops = 0; ; ) {
      try {
        const table = this.#table ?? (await this.#learn(deadline));
        const address = redirect ?? ownerOf(table, uid) ?? anyAlloc(table);
        return await this.#call(address, 'SeqService', method, request, deadline);
      } catch (error) {
        if (!RETRYABLE.has(error.code) || Date.now() >= deadline) throw error;
        redirect = error.redirectAddress || undefined;
        if (redirect !== undefined && hops++ < HOPS_MAX) {
          this.counts.redirectsFollowed++;
          continue;
        }
        redirect = undefined;
        hops = 0;
        await this.#pause(++tries, error.retryAfterMs, deadline);
        // The owner may be gone: whoever is left knows the newest table.
        if (error.code !== 'RESOURCE_EXHAUSTED') this.#table = undefined;
      }
    }
  }

  async #pause(tries, adviceMs, deadline) {
    this.counts.retries++;
    const [least, most] = BACKOFF_MS;
    const backoffMs = Math.random() * Math.min(most, least * 2 ** tries);
    await sleep(Math.max(0, Math.min(Math.max(backoffMs, adviceMs), deadline - Date.now())));
  }

  /** Asks seeds, then everybody whom tables named, for the newest table, and returns it. Throws the last error when nobody has one. */
  async #learn(deadline) {
    let last;
    for (const address of this.#seeds) {
      try {
        const { routing } = await this.#call(address, 'RouteService', 'GetRoute', {}, deadline);
        if (routing) return this.#table ?? routing;
      } catch (error) {
        last = error;
      }
    }
    throw last ?? new SeqsvrError({ code: 'UNAVAILABLE', definite: true, message: 'no seed has a routing table' });
  }

  /** A table that is not newer than ours is dropped: it never goes back. */
  #absorb(table) {
    if (this.#table !== undefined && !isNewer(table.version, this.#table.version)) return;
    this.#table = table;
    this.counts.tablesLearned++;
    const learned = [...table.allocs, ...table.stores].map(({ address }) => address);
    this.#seeds = [...new Set([...this.#seeds, ...learned])];
  }

  #call(address, service, method, request, deadline) {
    const client = this.#clientOf(address, service);
    const options = { deadline: Math.min(deadline, Date.now() + TRY_TIMEOUT_MS) };
    const routingVersion = this.#table?.version;
    return new Promise((resolve, reject) => {
      client[method]({ ...request, routingVersion }, new Metadata(), options, (error, response) => {
        if (error) return reject(this.#errorOf(error, address));
        if (response.routing) this.#absorb(response.routing);
        // What changed since our table. A client that is in no hurry forgets its own and asks for a whole one.
        else if (response.routingDelta) this.#table = undefined;
        return resolve(response);
      });
    });
  }

  #errorOf({ code, details, metadata }, address) {
    const [packed] = metadata?.get('seqsvr-error-bin') ?? [];
    if (packed) return new SeqsvrError(this.#protos['seqsvr.v1.ErrorDetail'].deserialize(packed));
    // From gRPC itself, or from something in between: nobody knows what was done.
    const name = { [status.DEADLINE_EXCEEDED]: 'TIMEOUT', [status.INVALID_ARGUMENT]: 'INVALID_ARGUMENT' }[code] ?? 'UNAVAILABLE';
    return new SeqsvrError({ code: name, definite: false, message: `${address}: ${details}` });
  }

  #clientOf(address, service) {
    const key = `${service} ${address}`;
    const known = this.#clients.get(key);
    if (known !== undefined) return known;
    const Client = loadPackageDefinition(this.#protos).seqsvr.v1[service];
    const made = new Client(address, credentials.createInsecure());
    this.#clients.set(key, made);
    return made;
  }
}

/** Section = (uid - first uid) / uids per section; the runs say whose it is, side by side from section 0 on. Undefined: nobody has it now. */
function ownerOf({ geometry, runs, allocs }, uid) {
  const section = (BigInt(uid) - BigInt(geometry.firstUid)) / BigInt(geometry.uidsPerSection);
  let end = 0n;
  for (const { sectionCount, alloc } of runs) {
    end += BigInt(sectionCount);
    // `alloc` is 1 + its place in the list; 0: nobody.
    if (section < end) return allocs[alloc - 1]?.address;
  }
  return undefined;
}

function anyAlloc({ allocs }) {
  if (allocs.length === 0) throw new SeqsvrError({ code: 'UNAVAILABLE', definite: true, message: 'the table has no AllocSvr' });
  return allocs[Math.floor(Math.random() * allocs.length)].address;
}

/** By generation, then by value: a restored cluster is newer than the old one. */
function isNewer(one, other) {
  const [a, b] = [one, other].map(({ generation, value }) => [BigInt(generation), BigInt(value)]);
  return a[0] === b[0] ? a[1] > b[1] : a[0] > b[0];
}
