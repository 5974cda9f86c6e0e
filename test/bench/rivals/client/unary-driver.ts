import { Client, credentials, type MethodDefinition, Metadata } from '@grpc/grpc-js';
import {
  type GetRouteRequest,
  type GetRouteResponse,
  NextRequest,
  RouteServiceService,
  SeqServiceService,
} from '../../../../src/rpc/gen/seqsvr/v1/seq.js';
import type { Driver } from './driver.js';

/** Several, so that the server has something to do. */
const CONNECTIONS = 8;
/** Messages that are made before anything is measured, so that both servers get the very same. */
const REQUESTS = 4_096;

/**
 * A client of another language, as far as the server can see: bare grpc-js, a connection of its own for every few callers.
 * `route`: who tells the version of the routing table, so that no answer carries a table; '': nobody, it is the echo server.
 */
export async function openUnary({
  address,
  route,
  draw,
}: {
  readonly address: string;
  readonly route: string;
  readonly draw: () => number;
}): Promise<Driver> {
  const clients = Array.from({ length: CONNECTIONS }, () => clientOf(address));
  const requests = await requestsFor(route, draw);
  const { path } = SeqServiceService.next;
  const same = (bytes: Buffer): Buffer => bytes;
  let at = 0;
  return {
    opsPerCall: 1,
    call: () =>
      new Promise((resolve, reject) => {
        at += 1;
        const client = clients[at % CONNECTIONS];
        const request = requests[at % REQUESTS];
        if (client === undefined || request === undefined) return reject(new Error('the remainder is a place'));
        client.makeUnaryRequest(path, same, same, request, (error, answer) => (error === null ? resolve(answer) : reject(error)));
      }),
    close: () => {
      for (const client of clients) client.close();
    },
  };
}

function clientOf(address: string): Client {
  return new Client(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_channelz': 0,
    'grpc.enable_retries': 0,
  });
}

async function requestsFor(route: string, draw: () => number): Promise<readonly Buffer[]> {
  const routingVersion = route === '' ? { generation: 1n, value: 2n } : await versionAt(route);
  return Array.from({ length: REQUESTS }, () => {
    const request = { uid: BigInt(draw()), count: 1, floor: 0n, routingVersion, heardVersion: undefined, strict: false };
    return Buffer.from(NextRequest.encode(request).finish());
  });
}

async function versionAt(address: string): Promise<NextRequest['routingVersion']> {
  const client = clientOf(address);
  const method: MethodDefinition<GetRouteRequest, GetRouteResponse> = RouteServiceService.getRoute;
  try {
    const { routing } = await new Promise<GetRouteResponse>((resolve, reject) => {
      client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        { setsVersion: 0n },
        new Metadata(),
        (error, answer) => (error === null && answer !== undefined ? resolve(answer) : reject(error ?? new Error('there was no message'))),
      );
    });
    return routing?.version;
  } finally {
    client.close();
  }
}
