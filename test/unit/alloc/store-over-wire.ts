import type { Clock } from '../../../src/base/clock.js';
import type { SeqError } from '../../../src/base/errors.js';
import type { Epoch, SectionId, Seq } from '../../../src/model/ids.js';
import { incomingToWire, leaseTermsToWire, tableToWire, versionFromWire, windowToWire } from '../../../src/rpc/codec.js';
import {
  type ConfirmRequest,
  type ConfirmResponse,
  type DrainRequest,
  type DrainResponse,
  type LoadRequest,
  type LoadResponse,
  type RaiseRequest,
  type RaiseResponse,
  type RegisterRequest,
  type RegisterResponse,
  type ReleaseRequest,
  type ReleaseResponse,
  type RenewRequest,
  type RenewResponse,
  StoreServiceService,
  type WatchRequest,
  type WatchResponse,
} from '../../../src/rpc/gen/seqsvr/v1/store.js';
import { GrpcServer, Handlers } from '../../../src/rpc/server.js';
import { errorToDetail } from '../../../src/rpc/status.js';
import type { Assignment, Caller } from '../../../src/store/client.js';
import type { FakeStore } from './fake-store.js';

/** Serves a FakeStore over real gRPC, as a StoreSvr that leads. `refuse` speaks first: what it returns is the answer. */
export function serveStore(options: {
  store: FakeStore;
  clock: Clock;
  refuse?: (method: string) => SeqError | undefined;
  address?: string;
}): Promise<GrpcServer> {
  const { store, clock } = options;
  const handlers = new Handlers({ clock, onBug: (error) => console.error(error) });
  const unary = <Request, Response>(method: string, answer: (request: Request) => Promise<Response>) =>
    handlers.unary<Request, Response>((request) => {
      const refusal = options.refuse?.(method);
      if (refusal !== undefined) throw refusal;
      return answer(request);
    });
  const implementation = {
    register: unary<RegisterRequest, RegisterResponse>('register', async () => {
      const { clusterId, geometry, raiseBy, lease } = await store.register();
      return { clusterId, geometry: { ...geometry }, raiseBy, lease: leaseTermsToWire(lease) };
    }),
    renew: unary<RenewRequest, RenewResponse>('renew', async (request) => {
      const routingVersion = request.routingVersion === undefined ? undefined : versionFromWire(request.routingVersion);
      const { lease, assignment } = await store.renewOnce({ ...CALLER, routingVersion });
      return { lease: leaseTermsToWire(lease), assignment: assignment === undefined ? undefined : toWire(assignment) };
    }),
    raise: unary<RaiseRequest, RaiseResponse>('raise', async ({ raises }) => {
      const asks = raises.map(({ section, epoch, to }) => ({ section: section as SectionId, epoch: Number(epoch) as Epoch, to: to as Seq }));
      const outcomes = await store.raise({ ...CALLER, raises: asks });
      return {
        outcomes: outcomes.map((outcome) =>
          outcome.type === 'raised' ? { maxSeq: outcome.maxSeq, error: undefined } : { maxSeq: 0n, error: errorToDetail(outcome.error) },
        ),
      };
    }),
    release: unary<ReleaseRequest, ReleaseResponse>('release', ({ releases }) =>
      store.release({
        releases: releases.map((run) => ({
          firstSection: run.firstSection as SectionId,
          sectionCount: run.sectionCount,
          epoch: Number(run.epoch) as Epoch,
          trueMax: run.trueMax as Seq,
        })),
      }),
    ),
    drain: unary<DrainRequest, DrainResponse>('drain', async () => {
      const { assignment, successorCount } = await store.drain();
      return { assignment: toWire(assignment), successorCount };
    }),
    confirm: unary<ConfirmRequest, ConfirmResponse>('confirm', async ({ sections }) => {
      const owned = await store.confirm({
        sections: sections.map(({ section, epoch }) => ({ section: section as SectionId, epoch: Number(epoch) as Epoch })),
      });
      return { owned: [...owned] };
    }),
    load: unary<LoadRequest, LoadResponse>('load', async () => ({ assignment: toWire(await store.load()) })),
    watch: handlers.serverStream<WatchRequest, WatchResponse>((_request, stream) => {
      const refusal = options.refuse?.('watch');
      if (refusal !== undefined) throw refusal;
      const end = store.watch(undefined, {
        onAssignment: (assignment) => stream.write({ assignment: toWire(assignment) }),
        onEnd: () => stream.end(),
      });
      stream.on('cancelled', end).on('error', end);
    }),
  };
  return GrpcServer.start({ address: options.address ?? '127.0.0.1:0', services: [{ definition: StoreServiceService, implementation }], clock });
}

const CALLER = { allocId: 'a', incarnation: '0'.repeat(32) } as Caller;

function toWire({ table, windows, incoming }: Assignment) {
  return { routing: tableToWire(table), windows: windows.map(windowToWire), incoming: incoming.map(incomingToWire) };
}
