import { assert } from '../base/assert.js';
import type { Clock, Instant } from '../base/clock.js';
import { sleep } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import type { Random } from '../base/random.js';
import { isSameGeometry, showGeometry, uidCountOf } from '../model/geometry.js';
import { type AllocId, type Incarnation, parseIncarnation, type SectionId } from '../model/ids.js';
import { checkRenewal } from '../model/lease.js';
import { type Owner, RoutingIndex, type RoutingTable } from '../model/routing.js';
import { isNewer, showVersion, type Version } from '../model/version.js';
import type { WindowRun } from '../model/window.js';
import type { Assignment, Caller, Registration } from '../store/client.js';
import type { AllocEvent } from './events.js';
import { LeaseKeeper } from './lease-keeper.js';
import { OwnedSections, runAt } from './owned-sections.js';
import { Raiser } from './raiser.js';
import { register } from './register.js';
import { Releaser } from './releaser.js';
import { SectionAllocator } from './section-allocator.js';
import { isSuperseded, type StorePort } from './store-port.js';
import { WatchKeeper } from './watch-keeper.js';

/** However often it is wanted, ownership is confirmed out of turn no more than once in this time, in ms. */
const CONFIRM_EVERY_MS = 1_000;

export interface OwnershipOptions {
  readonly id: AllocId;
  readonly zone: string;
  /** The pace of lease renewals, in ms. */
  readonly renewEveryMs: number;
  readonly store: StorePort;
  readonly clock: Clock;
  readonly random: Random;
  readonly observe: Observer<AllocEvent>;
  /** This incarnation must not go on; the process must end. Called at most once. */
  readonly onFatal: (error: SeqError) => void;
}

/**
 * What one incarnation may serve: its lease, the newest table it has seen, and the allocators of its sections. It
 * registers, renews, adopts tables, seals and releases; and it ends this incarnation when the store says it is over.
 */
export class Ownership {
  readonly incarnation: Incarnation;
  readonly #options: OwnershipOptions;
  readonly #clock: Clock;
  readonly #caller: Caller;
  readonly #sections: OwnedSections;
  readonly #raiser: Raiser;
  readonly #releaser: Releaser;
  readonly #lease: LeaseKeeper;
  readonly #watch: WatchKeeper;
  readonly #stopped = new AbortController();
  #registration: Registration | undefined;
  #index: RoutingIndex | undefined;
  #isDraining = false;
  #onFirstLease: () => void = () => {};
  #confirmedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: OwnershipOptions) {
    const { id, store, clock, random, observe, renewEveryMs } = options;
    this.incarnation = parseIncarnation(random.id128());
    this.#options = options;
    this.#clock = clock;
    this.#caller = { allocId: id, incarnation: this.incarnation };
    this.#sections = new OwnedSections({ open: (run, section) => this.#open(run, section) });
    const shared = { clock, random, observe, onError: (error: SeqError) => this.#judge(error) };
    this.#raiser = new Raiser({
      ...shared,
      raise: (raises, call) => store.raise({ ...this.#caller, raises }, call),
      onNotOwner: () => this.confirm(),
    });
    this.#releaser = new Releaser({
      ...shared,
      release: (releases, call) => store.release({ ...this.#caller, generation: this.#version?.generation ?? 0, releases }, call),
      load: (call) => store.load(this.#caller, call),
      onReleased: () => this.#lease.renewNow(),
      onRefused: (assignment, sealed) => this.#releaseRefused(assignment, sealed),
    });
    this.#lease = new LeaseKeeper({
      ...shared,
      renewEveryMs,
      renewOnce: (call) => store.renewOnce({ ...this.#caller, routingVersion: this.#version }, call),
      adopt: ({ assignment }) => {
        if (assignment !== undefined) this.adopt(assignment);
      },
      onRenewed: () => this.#onFirstLease(),
    });
    this.#watch = new WatchKeeper({
      ...shared,
      open: (handlers) => store.watch({ ...this.#caller, routingVersion: this.#version }, handlers),
      adopt: (assignment) => this.adopt(assignment),
    });
  }

  /**
   * Registers and resolves with the first lease. Tries until it succeeds or stop() is called (then CLOSED). Throws
   * INVALID_ARGUMENT when this pace of renewals cannot keep the set's lease, and what the store refuses for good.
   */
  async start({ address }: { readonly address: string }): Promise<void> {
    const { signal } = this.#stopped;
    const registration = await register({ ...this.#options, caller: this.#caller, address, signal });
    checkRenewal({ leaseMs: registration.lease.leaseMs, renewEveryMs: this.#options.renewEveryMs });
    this.#registration = registration;
    this.#options.observe({ type: 'registered', clusterId: registration.clusterId, incarnation: this.incarnation });
    await new Promise<void>((resolve, reject) => {
      this.#onFirstLease = resolve;
      signal.addEventListener('abort', () => reject(signal.reason as SeqError), { once: true });
      this.#lease.start();
      this.#watch.start();
    });
  }

  get registration(): Registration | undefined {
    return this.#registration;
  }

  get table(): RoutingTable | undefined {
    return this.#index?.table;
  }

  /** Who owns a section by the newest table. Call only when there is one. */
  ownerOf(section: SectionId): Owner {
    assert(this.#index !== undefined, 'an owner is looked up in a table');
    return this.#index.ownerOf(section);
  }

  /** The allocator of a section that this incarnation has, sealed ones included. */
  get(section: SectionId): SectionAllocator | undefined {
    return this.#sections.get(section);
  }

  get sectionCount(): number {
    return this.#sections.count;
  }

  /** Uids that have memory, counted by page. */
  get residentUidCount(): number {
    let count = 0;
    for (const allocator of this.#sections.values()) count += allocator.residentUidCount;
    return count;
  }

  leaseLeftMsAt(now: Instant): number {
    return this.#lease.leftMsAt(now);
  }

  /** Why nothing may be served at `now`, in words; undefined when this incarnation may serve what it owns. */
  refusalAt(now: Instant): string | undefined {
    const { id } = this.#options;
    if (this.#stopped.signal.aborted) return `AllocSvr '${id}' is stopped`;
    if (this.#isDraining) return `AllocSvr '${id}' is draining`;
    if (!this.#lease.isValidAt(now)) return `AllocSvr '${id}' holds no valid lease`;
    if (this.#index === undefined) return `AllocSvr '${id}' has no routing table yet`;
    return undefined;
  }

  /** Asks the store who we are, at most once a second: a newer table or "superseded" ends what is no longer ours. */
  confirm(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#confirmedAtMs < CONFIRM_EVERY_MS) return;
    this.#confirmedAtMs = nowMs;
    this.#lease.renewNow();
  }

  /**
   * Takes in a table and its windows; one that is not newer than the newest seen is ignored, and a higher generation
   * ends this incarnation. Throws PROTOCOL when the two do not fit each other or the set.
   */
  adopt({ table, windows }: Assignment): void {
    const before = this.#version;
    if (this.#stopped.signal.aborted || (before !== undefined && !isNewer(table.version, before))) return;
    if (before !== undefined && table.version.generation > before.generation) {
      return this.#end(`the cluster began generation ${table.version.generation}, this incarnation belongs to ${before.generation}`);
    }
    const index = new RoutingIndex(table);
    this.#check(index, windows);
    this.#index = index;
    const { lostCount, leaving, refused } = this.#sections.adopt(windows);
    const { version } = table;
    this.#options.observe({ type: 'tableAdopted', version, lostCount, ownedCount: this.#sections.count });
    if (refused !== undefined) {
      return this.#end(`table ${showVersion(version)} gives us section ${refused.section} at epoch ${refused.epoch}, whose memory we gave up`);
    }
    this.#sealAndRelease(this.#isDraining ? this.#sections.openOnes() : leaving);
  }

  /**
   * Tells the store that this incarnation is about to stop, so that it gets nothing more; then seals every section,
   * releases it with its true maximum, and resolves when that is answered or after `withinMs`.
   */
  async drain({ withinMs }: { readonly withinMs: number }): Promise<void> {
    await Promise.race([this.#leave(withinMs), sleep(this.#clock, withinMs, this.#stopped.signal)]);
  }

  async #leave(withinMs: number): Promise<void> {
    try {
      // Still serving: what was granted before the store took note comes back with the answer, and is released too.
      const { assignment } = await this.#options.store.drain(this.#caller, { timeoutMs: withinMs / 2, signal: this.#stopped.signal });
      this.adopt(assignment);
    } catch (error) {
      if (!SeqError.is(error)) throw error;
      // Nobody took note: what we have can be given back all the same, or else waits for the lease.
      this.#options.observe({ type: 'drainFailed', error });
    }
    this.#isDraining = true;
    this.#lease.stop();
    this.#sealAndRelease(this.#sections.openOnes());
    await this.#releaser.idle();
  }

  /** Ends everything at once; nothing is released. */
  stop(): void {
    this.#stop(new SeqError('CLOSED', `AllocSvr '${this.#options.id}' was stopped`));
  }

  get #version(): Version | undefined {
    return this.#index?.table.version;
  }

  #open({ epoch, base, maxSeq }: WindowRun, section: SectionId): SectionAllocator {
    assert(this.#registration !== undefined, 'a section is opened after registration');
    const { geometry, raiseBy } = this.#registration;
    const uidCount = uidCountOf(geometry, section);
    return new SectionAllocator({ section, epoch, uidCount, base, maxSeq, raiseBy, clock: this.#clock, raiser: this.#raiser });
  }

  #check(index: RoutingIndex, windows: readonly WindowRun[]): void {
    const { geometry } = index.table;
    if (this.#registration === undefined) throw new SeqError('PROTOCOL', 'a table came before the registration was answered');
    if (!isSameGeometry(geometry, this.#registration.geometry)) {
      throw new SeqError('PROTOCOL', `the table has ${showGeometry(geometry)}, we registered for ${showGeometry(this.#registration.geometry)}`);
    }
    let end = 0;
    for (const { firstSection, sectionCount, epoch } of windows) {
      if (firstSection < end) throw new SeqError('PROTOCOL', `the window for section ${firstSection} is out of order`);
      end = firstSection + sectionCount;
      for (const section of [firstSection, (firstSection + sectionCount - 1) as SectionId]) {
        const owner = index.ownerOf(section);
        if (owner.alloc?.id === this.#options.id && owner.epoch === epoch) continue;
        const whose = `'${owner.alloc?.id ?? 'nobody'}' at epoch ${owner.epoch}`;
        throw new SeqError('PROTOCOL', `a window for section ${section} at epoch ${epoch}, but the table gives it to ${whose}`);
      }
    }
  }

  /** All in one tick: after it nothing of these epochs leaves, whatever becomes of the release. */
  #sealAndRelease(allocators: readonly SectionAllocator[]): void {
    if (allocators.length === 0) return;
    for (const allocator of allocators) allocator.seal();
    this.#options.observe({ type: 'sectionsSealed', sectionCount: allocators.length });
    this.#releaser.release(allocators);
  }

  #releaseRefused(assignment: Assignment, sealed: readonly SectionAllocator[]): void {
    this.adopt(assignment);
    // Sealed for good, not released, and still ours by the table: only a new incarnation can get it served again.
    const stuck = sealed.find(({ section, epoch }) => runAt(assignment.windows, section)?.epoch === epoch);
    if (stuck !== undefined) this.#end(`the release of section ${stuck.section} at epoch ${stuck.epoch} was refused, yet it is ours`);
  }

  #judge(error: SeqError): void {
    if (isSuperseded(error)) this.#end(error.message, error);
  }

  #end(why: string, cause?: SeqError): void {
    if (this.#stopped.signal.aborted) return;
    const error = new SeqError('NOT_OWNER', why, { cause });
    this.#stop(error);
    this.#options.observe({ type: 'fatal', error });
    this.#options.onFatal(error);
  }

  #stop(reason: SeqError): void {
    this.#stopped.abort(reason);
    this.#lease.stop();
    this.#watch.stop();
    this.#raiser.stop();
    this.#releaser.stop();
    // Whoever waits is woken and told.
    for (const allocator of this.#sections.values()) allocator.seal();
  }
}
