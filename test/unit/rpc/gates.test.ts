import { once } from 'node:events';
import { connect as connectHttp2, type ClientHttp2Session, type ClientHttp2Stream, constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import { REQUEST_MAX_MS, UNFINISHED_MAX } from '../../../src/rpc/call-gate.js';
import { GrpcChannel } from '../../../src/rpc/channel.js';
import { CONNECTIONS_OF_ONE_MAX, SILENCE_MAX_MS, SILENT_MAX } from '../../../src/rpc/connection-gate.js';
import { type GetRouteRequest, RouteServiceService } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { FAULTS_FORGOTTEN_PER_SECOND, FAULTS_MAX } from '../../../src/rpc/fault-ledger.js';
import { GrpcServer, Handlers, HEADERS_MAX_BYTES } from '../../../src/rpc/server.js';
import { IDLE_FRAMES_PER_TURN_MAX } from '../../../src/rpc/session-watch.js';
import { callHeaders, FLAGS, frame, headerFrames, PREFACE as PREFACE_BYTES, TYPES } from '../../security/raw-http2.js';
import { VirtualClock } from '../virtual-clock.js';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const RESOURCE_EXHAUSTED = '8';
/** How a client begins. */
const GREETING = Buffer.concat([PREFACE_BYTES, frame({ type: TYPES.settings })]);
const UNIMPLEMENTED = '12';

describe('gates of a gRPC server', () => {
  let clock: VirtualClock;
  let server: GrpcServer;
  let port: number;
  const sockets: Socket[] = [];
  const sessions: ClientHttp2Session[] = [];

  beforeEach(async () => {
    clock = new VirtualClock();
    const handlers = new Handlers({ clock, onBug: (error) => expect.fail(String(error)) });
    const implementation = {
      getRoute: handlers.unary(({ setsVersion }: GetRouteRequest) => {
        if (setsVersion === 666n) throw new SeqError('INVALID_ARGUMENT', 'a version that is none');
        return {};
      }),
    };
    server = await GrpcServer.start({ address: '127.0.0.1:0', services: [{ definition: RouteServiceService, implementation }], clock });
    port = Number(server.address.split(':')[1]);
  });

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const session of sessions.splice(0)) session.destroy();
    server.cut();
  });

  /** An open connection that says `text`. */
  async function dial(text = ''): Promise<Socket> {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket.on('error', () => undefined));
    await once(socket, 'connect');
    if (text !== '') socket.write(text);
    return socket.resume();
  }

  /** A call whose headers are sent and whose request is not. */
  function halfCall(session: ClientHttp2Session): ClientHttp2Stream {
    const path = '/seqsvr.v1.RouteService/GetRoute';
    const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
    return session.request(headers, { endStream: false }).on('error', () => undefined);
  }

  async function http2(): Promise<ClientHttp2Session> {
    const session = connectHttp2(`http://127.0.0.1:${port}`).on('error', () => undefined);
    sessions.push(session);
    await once(session, 'connect');
    return session;
  }

  /** Resolves once the other side has cut it, with a reset or without. */
  const cut = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()));
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  const connections = () => server.figures.connections;

  it('cuts a connection that says nothing for too long, and one that says half of a preface', async () => {
    const silent = await dial();
    const half = await dial(PREFACE.slice(0, 10));
    await until(() => connections().openCount === 2);
    clock.advance(SILENCE_MAX_MS - 1);
    expect(connections()).to.include({ openCount: 2, silentCount: 0 });
    const ends = [cut(silent), cut(half)];
    clock.advance(1);
    await Promise.all(ends);
    await until(() => connections().openCount === 0);
    expect(connections().silentCount).to.equal(2);
  });

  it('cuts at once what speaks something else', async () => {
    await cut(await dial('GET / HTTP/1.1\r\n\r\n'));
    expect(connections()).to.include({ strangerCount: 1, silentCount: 0 });
  });

  it('lets a preface through that comes in pieces, and serves calls after it', async () => {
    const socket = await dial(PREFACE.slice(0, 3));
    await until(() => connections().openCount === 1);
    const answered = once(socket, 'data');
    socket.write(PREFACE.slice(3));
    // An empty SETTINGS frame; the server answers with its own.
    socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    await answered;
    clock.advance(SILENCE_MAX_MS);
    expect(connections()).to.include({ openCount: 1, silentCount: 0 });
    const channel = new GrpcChannel({ address: server.address, clock: systemClock });
    await channel.call(RouteServiceService.getRoute, { setsVersion: 0n }, { timeoutMs: 5_000 });
    channel.close();
  });

  it('cuts the connection that is silent for longest when too many are', async () => {
    const first = await dial();
    await until(() => connections().openCount === 1);
    const end = cut(first);
    for (let count = 0; count < SILENT_MAX; count += 1) await dial();
    await end;
    expect(connections()).to.include({ silentCount: 1, refusedCount: 0 });
  });

  it('refuses connections of one address above their bound', async () => {
    // A hundred at a time, so that none is silent for long among too many.
    for (let count = 0; count < CONNECTIONS_OF_ONE_MAX; count += 128) await Promise.all(Array.from({ length: 128 }, () => dial(PREFACE)));
    await until(() => connections().openCount === CONNECTIONS_OF_ONE_MAX);
    await cut(await dial(PREFACE));
    expect(connections()).to.include({ openCount: CONNECTIONS_OF_ONE_MAX, refusedCount: 1, silentCount: 0 });
  });

  it('ends a call whose request does not come, with a status, and forgets it', async () => {
    const stream = halfCall(await http2());
    await until(() => server.figures.calls.openCount === 1);
    const answer = once(stream, 'response') as Promise<[Record<string, string>]>;
    clock.advance(REQUEST_MAX_MS - 1);
    expect(server.figures.calls.unfinishedCount).to.equal(0);
    clock.advance(2_000);
    const [headers] = await answer;
    expect(headers['grpc-status']).to.equal(RESOURCE_EXHAUSTED);
    expect(decodeURI(headers['grpc-message'] ?? '')).to.equal(`the request did not come within ${REQUEST_MAX_MS} ms`);
    await until(() => server.figures.calls.openCount === 0);
    expect(countedOf('GetRoute')).to.deep.equal({ startedCount: 1, handled: [[Number(RESOURCE_EXHAUSTED), 1]], tookMs: REQUEST_MAX_MS });
  });

  it('ends the oldest of too many calls without a request, and serves others meanwhile', async () => {
    const one = await http2();
    // One connection has room for fewer.
    const others = [await http2(), await http2(), await http2()];
    const oldest = halfCall(one);
    await until(() => server.figures.calls.openCount === 1);
    const answer = once(oldest, 'response') as Promise<[Record<string, string>]>;
    for (let count = 0; count < UNFINISHED_MAX; count += 1) for (const other of others.slice(count % 3, (count % 3) + 1)) halfCall(other);
    const [headers] = await answer;
    expect(headers['grpc-status']).to.equal(RESOURCE_EXHAUSTED);
    expect(server.figures.calls).to.include({ openCount: UNFINISHED_MAX, unfinishedCount: 1 });
    const channel = new GrpcChannel({ address: server.address, clock: systemClock });
    await channel.call(RouteServiceService.getRoute, { setsVersion: 0n }, { timeoutMs: 5_000 });
    channel.close();
  });

  /** What a call is answered with, by a server that never saw its request whole or did not want it. */
  async function statusOf(stream: ClientHttp2Stream): Promise<string | undefined> {
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    return headers['grpc-status'];
  }

  it('refuses a request that is compressed, without looking into it', async () => {
    const session = await http2();
    const stream = session
      .request({
        ':method': 'POST',
        ':path': '/seqsvr.v1.RouteService/GetRoute',
        'content-type': 'application/grpc',
        te: 'trailers',
        'grpc-encoding': 'gzip',
      })
      .on('error', () => undefined);
    stream.end(Buffer.concat([Buffer.from([1, 0, 0, 0, 20]), gzipSync(Buffer.alloc(1))]));
    expect(await statusOf(stream)).to.equal(UNIMPLEMENTED);
    expect(server.figures.calls.compressedCount).to.equal(1);
  });

  it('takes no more headers than a call has use for', async () => {
    const session = await http2();
    if (session.remoteSettings.maxHeaderListSize !== HEADERS_MAX_BYTES) await once(session, 'remoteSettings');
    expect(session.remoteSettings.maxHeaderListSize).to.equal(HEADERS_MAX_BYTES);
    // By hand, for node's own client keeps to what the server says.
    const socket = await dial();
    const greeted = once(socket, 'data');
    socket.write(GREETING);
    await greeted;
    // The bound holds once it is acknowledged; who does not do that is bounded by what a server forgives.
    const acknowledged = frame({ type: TYPES.settings, flags: FLAGS.acknowledge });
    const callWith = (fillerBytes: number, stream: number): Buffer =>
      headerFrames(callHeaders('/seqsvr.v1.RouteService/GetRoute', [['x-filler', 'x'.repeat(fillerBytes)]]), stream);
    socket.write(Buffer.concat([acknowledged, callWith(HEADERS_MAX_BYTES, 1), callWith(HEADERS_MAX_BYTES / 2, 3)]));
    await until(() => server.figures.calls.openCount > 0);
    expect(server.figures.calls.openCount).to.equal(1);
  });

  it('cuts a connection that sends more PING frames in one turn than anybody has use for, and keeps its address out for a while', async () => {
    const pings = (count: number): Buffer =>
      Buffer.concat(Array.from({ length: count }, () => frame({ type: TYPES.ping, payload: Buffer.alloc(8) })));
    const honest = await dial();
    honest.write(Buffer.concat([GREETING, pings(IDLE_FRAMES_PER_TURN_MAX / 2)]));
    await once(honest, 'data');
    const end = cut(honest);
    honest.write(pings(IDLE_FRAMES_PER_TURN_MAX + 1));
    await end;
    expect(connections().faultyCount).to.equal(1);
    await cut(await dial());
    expect(connections().faultyCount).to.equal(2);
    clock.advance((FAULTS_MAX / FAULTS_FORGOTTEN_PER_SECOND) * 1_000);
    await http2();
  });

  it('cuts a connection with too many requests that cannot be read', async () => {
    const session = await http2();
    const end = new Promise((resolve) => session.once('close', resolve));
    const unreadable = Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), Buffer.of(0xff)]);
    for (let count = 0; count < FAULTS_MAX && !session.destroyed; count += 1) {
      const stream = halfCall(session);
      stream.end(unreadable);
      await new Promise((resolve) => stream.once('close', resolve).resume());
    }
    await end;
    expect(connections().faultyCount).to.equal(1);
  });

  it('blames nobody for a request that is refused, however often', async () => {
    const channel = new GrpcChannel({ address: server.address, clock: systemClock });
    for (let count = 0; count <= FAULTS_MAX; count += 1) {
      const refused = await channel.call(RouteServiceService.getRoute, { setsVersion: 666n }, { timeoutMs: 5_000 }).catch((error: unknown) => error);
      expect(refused).to.include({ code: 'INVALID_ARGUMENT' });
    }
    expect(connections().faultyCount).to.equal(0);
    channel.close();
  });

  it('blames a connection for calls that are taken back in the same breath, counts none of them as open, and cuts it at last', async () => {
    const socket = await dial(PREFACE);
    const payload = callHeaders('/seqsvr.v1.RouteService/GetRoute');
    const takenBack = Array.from({ length: 100 }, (_, at) => 1 + 2 * at).flatMap((stream) => [
      frame({ type: TYPES.headers, flags: FLAGS.endHeaders, stream, payload }),
      frame({ type: TYPES.rstStream, stream, payload: Buffer.from([0, 0, 0, constants.NGHTTP2_CANCEL]) }),
    ]);
    socket.write(Buffer.concat([frame({ type: TYPES.settings }), ...takenBack]));
    // This one is not: once it is here, so were they.
    socket.write(frame({ type: TYPES.headers, flags: FLAGS.endHeaders, stream: 201, payload }));
    await until(() => server.figures.calls.openCount === 1 && socket.bytesRead > 0);
    expect(server.figures.calls).to.include({ openCount: 1, refusedCount: 0, unfinishedCount: 0 });
    const end = cut(socket);
    const more = Array.from({ length: FAULTS_MAX }, (_, at) => 203 + 2 * at).flatMap((stream) => [
      frame({ type: TYPES.headers, flags: FLAGS.endHeaders, stream, payload }),
      frame({ type: TYPES.rstStream, stream, payload: Buffer.from([0, 0, 0, constants.NGHTTP2_CANCEL]) }),
    ]);
    socket.write(Buffer.concat(more));
    await end;
    await until(() => server.figures.calls.openCount === 0);
    expect(connections()).to.include({ openCount: 0, faultyCount: 1 });
  });

  it('counts a call out that its caller takes back', async () => {
    const stream = halfCall(await http2());
    await until(() => server.figures.calls.openCount === 1);
    stream.close(constants.NGHTTP2_CANCEL);
    await until(() => server.figures.calls.openCount === 0);
    expect(server.figures.calls).to.include({ refusedCount: 0, unfinishedCount: 0 });
    // grpc-js sees the end of the request first, and says that there was none: unimplemented.
    expect(countedOf('GetRoute')).to.deep.equal({ startedCount: 1, handled: [[12, 1]], tookMs: 0 });
  });

  it('counts what is answered by its method', async () => {
    const channel = new GrpcChannel({ address: server.address, clock: systemClock });
    for (let round = 0; round < 3; round += 1) await channel.call(RouteServiceService.getRoute, { setsVersion: 0n }, { timeoutMs: 5_000 });
    channel.close();
    expect(countedOf('GetRoute')).to.deep.equal({ startedCount: 3, handled: [[0, 3]], tookMs: 0 });
  });

  /** By the clock of the server. */
  function countedOf(method: string) {
    const found = server.figures.methods.find((counts) => counts.method === method);
    const handled = [...(found?.codeCounts ?? [])].flatMap((count, code) => (count > 0 ? [[code, count]] : []));
    return { startedCount: found?.startedCount, handled, tookMs: found?.durationSumMs };
  }
});
