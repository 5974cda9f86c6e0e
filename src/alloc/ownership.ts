import { assert } from '../base/assert.js';
import type { Clock, Instant } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { uidCountOf } from '../model/geometry.js';
import { type Incarnation, parseIncarnation, type SectionId } from '../model/ids.js';
import { checkRenewal } from '../model/lease.js';
import { type Owner, RoutingIndex, type RoutingTable } from '../model/routing.js';
import { NO_SETS, type SetMap } from '../model/sets.js';
import { type RoutingDelta, TableHistory } from '../model/routing-delta.js';
import { isNewer, showVersion, type Version } from '../model/version.js';
import type { WindowRun } from '../model/window.js';
import type { Assignment, Caller, OwnedSection, Registration, StoreCall } from '../store/client.js';
import { AdoptionWaits } from './adoption-waits.js';
import { checkAssignment } from './check-assignment.js';
import { ClockWatch } from './clock-watch.js';
import type { CounterPages } from './counters.js';
import { Departure } from './departure.js';
import type { HandoffSource } from './handoff-source.js';
import { LeaseKeeper } from './lease-keeper.js';
import { Handover } from './handover.js';
import { OwnedSections, runAt } from './owned-sections.js';
import type { OwnershipOptions } from './ownership-options.js';
import { Raiser } from './raiser.js';
import { register } from './register.js';
import { Releaser } from './releaser.js';
import { SectionAllocator } from './section-allocator.js';
import { SelfFence } from './self-fence.js';
import { isSuperseded } from './store-port.js';
import { StrictRounds } from './strict-rounds.js';
import { WatchKeeper } from './watch-keeper.js';

/** However often it is wanted, the newest table is asked for out of turn no more than once in this time, in ms. */
const REFRESH_EVERY_MS = 1_000;

/**
 * What one incarnation may serve: its lease, the newest table it has seen, and the allocators of its sections. It
 * registers, renews, adopts tables, seals and releases; and it ends this incarnation when the store says it is over.
 */
export class Ownership {
  readonly incarnation: Incarnation;
  /** Confirms ownership for STRICT calls. */
  readonly strict: StrictRounds;
  readonly #options: OwnershipOptions;
  readonly #clock: Clock;
  readonly #caller: Caller;
  readonly #sections: OwnedSections;
  readonly #handover: Handover;
  readonly #raiser: Raiser;
  readonly #releaser: Releaser;
  readonly #lease: LeaseKeeper;
  readonly #watch: WatchKeeper;
  readonly #fence: SelfFence<SectionAllocator>;
  #clocks: ClockWatch | undefined;
  readonly #stopped = new AbortController();
  readonly #adoptions: AdoptionWaits;
  readonly #departure: Departure;
  #registration: Registration | undefined;
  #index: RoutingIndex | undefined;
  #sets: SetMap = NO_SETS;
  readonly #history = new TableHistory();
  #isDraining = false;
  #onFirstLease: () => void = () => {};
  #refreshedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: OwnershipOptions) {
    const { id, store, clock, random, observe, renewEveryMs, pull } = options;
    this.incarnation = options.incarnation ?? parseIncarnation(random.id128());
    this.#options = options;
    this.#clock = clock;
    this.#caller = { allocId: id, incarnation: this.incarnation };
    this.#sections = new OwnedSections({ open: (run, section, installed) => this.#open(run, section, installed) });
    this.#handover = new Handover({
      id,
      clock,
      random,
      observe,
      pull,
      sections: this.#sections,
      uidCountOf: (section) => this.#uidCountOf(section),
      seal: (allocators) => this.#sealAndRelease(allocators, { handsOver: true }),
      saved: options.saved,
    });
    this.#adoptions = new AdoptionWaits({ clock, stopped: this.#stopped.signal });
    this.#departure = this.#makeDeparture();
    const shared = { clock, random, observe, onError: (error: SeqError) => this.#judge(error) };
    const confirm = (sections: readonly OwnedSection[], call: StoreCall) => store.confirm({ ...this.#caller, sections }, call);
    this.strict = new StrictRounds({ ...shared, confirm, onDisowned: () => this.#refresh() });
    this.#fence = new SelfFence({
      ...shared,
      confirm,
      onDisowned: ({ section, epoch }) => this.#end(`we serve section ${section} at epoch ${epoch}, and the StoreSvrs say that it is not ours`),
    });
    this.#raiser = new Raiser({
      ...shared,
      raise: (raises, call) => store.raise({ ...this.#caller, raises }, call),
      onNotOwner: () => this.#refresh(),
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
      renewOnce: (call) => store.renewOnce({ ...this.#caller, routingVersion: this.#version, loads: this.#raiser.loads }, call),
      adopt: ({ assignment }) => {
        if (assignment !== undefined) this.adopt(assignment);
      },
      onRenewed: ({ marginMs }) => {
        this.#clocks?.setMargin(marginMs);
        this.#clocks?.check(this.#clock.now());
        this.#onFirstLease();
      },
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
    await this.#handover.findCounters(registration.clusterId);
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      this.#onFirstLease = resolve;
      signal.addEventListener('abort', () => reject(signal.reason as SeqError), { once: true });
      this.#clocks = this.#watchClocks(registration.lease.marginMs);
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

  /** All sets, as of the newest table. */
  get sets(): SetMap {
    return this.#sets;
  }

  /** What makes the caller's table the newest one; undefined: only the whole table does. */
  deltaFrom(version: Version): RoutingDelta | undefined {
    return this.#history.deltaFrom(version);
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

  /** As get(), of a section that was asked for before. */
  at(section: SectionId): SectionAllocator | undefined {
    return this.#sections.at(section);
  }

  get sectionCount(): number {
    return this.#sections.count;
  }

  /** The sections that were asked for. */
  get opened(): Iterable<SectionAllocator> {
    return this.#sections.values();
  }

  leaseLeftMsAt(now: Instant): number {
    return this.#lease.leftMsAt(now);
  }

  /** Why nothing may be served at `now`, in words; undefined when this incarnation may serve what it owns. */
  refusalAt(now: Instant): string | undefined {
    const { id } = this.#options;
    if (this.#stopped.signal.aborted) return `AllocSvr '${id}' is stopped`;
    if (this.#isDraining && this.#sections.count > 0) return `AllocSvr '${id}' is draining`;
    this.#clocks?.check(now);
    if (!this.#lease.isValidAt(now)) return `AllocSvr '${id}' holds no valid lease`;
    if (this.#index === undefined) return `AllocSvr '${id}' has no routing table yet`;
    return undefined;
  }

  /** A caller has seen a higher number of this section than we handed out: is it still ours? If not, this incarnation ends. */
  suspect(allocator: SectionAllocator): void {
    this.#fence.suspect(allocator);
  }

  /** Asks the store for the newest table, at most once a second: it, or "superseded", ends what is no longer ours. */
  #refresh(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#refreshedAtMs < REFRESH_EVERY_MS) return;
    this.#refreshedAtMs = nowMs;
    this.#lease.renewNow();
  }

  /**
   * Takes in a table and its windows; one that is not newer than the newest seen is ignored, and a higher generation
   * ends this incarnation. Throws PROTOCOL when the two do not fit each other or the set.
   */
  adopt(assignment: Assignment): void {
    const { table, windows } = assignment;
    const before = this.#version;
    if (this.#stopped.signal.aborted || (before !== undefined && !isNewer(table.version, before))) return;
    if (before !== undefined && table.version.generation > before.generation) {
      return this.#end(`the cluster began generation ${table.version.generation}, this incarnation belongs to ${before.generation}`);
    }
    const index = new RoutingIndex(table);
    checkAssignment({ index, windows }, { id: this.#options.id, geometry: this.#registration?.geometry });
    this.#sections.check(windows);
    this.#index = index;
    this.#sets = assignment.sets;
    this.#history.add(table);
    const { lostCount, refused } = this.#sections.adopt(windows);
    const { version } = table;
    this.#options.observe({ type: 'tableAdopted', version, lostCount, ownedCount: this.#sections.count });
    if (refused !== undefined) {
      return this.#end(`table ${showVersion(version)} gives us section ${refused.section} at epoch ${refused.epoch}, whose memory we gave up`);
    }
    this.#handover.adopted(assignment, (section) => index.ownerOf(section).epoch);
    // What comes after the last seal goes back at once.
    if (this.#isDraining) this.#sealAndRelease(this.#sections.openOnes(), { handsOver: false });
    this.#adoptions.wake();
  }

  /** The owner's side of hand-offs. */
  get source(): HandoffSource {
    return this.#handover.source;
  }

  /**
   * A section that is on its way, to here or from here: resolves when there may be news of it, or after `limitMs`. Undefined when
   * nothing is to be waited for. Whoever waited must check everything again.
   */
  unsettled(section: SectionId, limitMs: number): Promise<void> | undefined {
    if (!this.isUnsettled(section)) return undefined;
    const installing = this.#handover.installing(section);
    // Not a listener each on one signal: thousands of calls may wait here.
    const adopted = this.#adoptions.next(limitMs);
    return installing === undefined ? adopted : Promise.race([installing, adopted]);
  }

  /** The section is on its way: its counters to here, or it from here, sealed and not yet given to another. */
  isUnsettled(section: SectionId): boolean {
    if (this.#handover.installing(section) !== undefined) return true;
    const allocator = this.#sections.get(section);
    return allocator !== undefined && !allocator.isOpen;
  }

  /** A table at least as new as `version`: undefined when there is one; otherwise resolves when it came, or after `limitMs`. */
  whenSeen(version: Version, limitMs: number): Promise<void> | undefined {
    return this.#adoptions.until(() => this.#version !== undefined && !isNewer(version, this.#version), limitMs);
  }

  #uidCountOf(section: SectionId): number {
    assert(this.#registration !== undefined, 'a section is asked about after registration');
    return uidCountOf(this.#registration.geometry, section);
  }

  /** A clean stop: see Departure. Resolves when everything is answered, or after `withinMs`. */
  async drain({ withinMs }: { readonly withinMs: number }): Promise<void> {
    await this.#departure.run(withinMs);
  }

  /** Ends everything at once; nothing is released. */
  stop(): void {
    this.#stop(new SeqError('CLOSED', `AllocSvr '${this.#options.id}' was stopped`));
  }

  /** A lease rests on clocks, so what they do is watched; what was granted before one jumped is not relied on after it. */
  #watchClocks(marginMs: number): ClockWatch {
    return new ClockWatch({
      clock: this.#clock,
      marginMs,
      observe: this.#options.observe,
      onUpset: () => this.#lease.requireFresh(),
      onTick: (now) => this.#lease.look(now),
    });
  }

  #makeDeparture(): Departure {
    const { clock, observe, store, saved } = this.#options;
    return new Departure({
      clock,
      observe,
      saved,
      stopped: this.#stopped.signal,
      sections: this.#sections,
      adoptions: this.#adoptions,
      clusterId: () => this.#registration?.clusterId,
      drain: (call) => store.drain(this.#caller, call),
      adopt: (assignment) => this.adopt(assignment),
      onLeaving: () => {
        this.#isDraining = true;
        this.#lease.stop();
      },
      seal: (allocators) => this.#seal(allocators, { handsOver: true }),
      release: (sealed) => {
        this.#releaser.release(sealed);
        return this.#releaser.idle();
      },
      source: this.source,
    });
  }

  get #version(): Version | undefined {
    return this.#index?.table.version;
  }

  #open({ epoch, base, maxSeq }: WindowRun, section: SectionId, installed: CounterPages | undefined): SectionAllocator {
    assert(this.#registration !== undefined, 'a section is opened after registration');
    const { raiseBy } = this.#registration;
    const { raiseAheadMs } = this.#options;
    const uidCount = this.#uidCountOf(section);
    const shared = { clock: this.#clock, raiser: this.#raiser };
    return new SectionAllocator({ ...shared, section, epoch, uidCount, base, maxSeq, raiseBy, raiseAheadMs, installed });
  }

  #sealAndRelease(allocators: readonly SectionAllocator[], how: { readonly handsOver: boolean }): void {
    if (allocators.length === 0) return;
    this.#seal(allocators, how);
    this.#releaser.release(allocators);
  }

  /** All in one tick: after it nothing of these epochs leaves, whatever becomes of the release. */
  #seal(allocators: readonly SectionAllocator[], { handsOver }: { readonly handsOver: boolean }): void {
    if (allocators.length === 0) return;
    for (const allocator of allocators) {
      allocator.seal({ handsOver });
      if (handsOver) this.source.keep(allocator.sealedCounters());
    }
    this.#options.observe({ type: 'sectionsSealed', sectionCount: allocators.length });
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
    this.#clocks?.stop();
    this.#watch.stop();
    this.#raiser.stop();
    this.#releaser.stop();
    this.#handover.stop();
    this.#fence.stop();
    this.strict.stop();
    this.#adoptions.wake();
    // Whoever waits is woken and told.
    for (const allocator of this.#sections.values()) allocator.seal();
  }
}
