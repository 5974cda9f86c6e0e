import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import { anyFreePort, FrontDoor, isPortFree } from '../../../src/cli/front-door.js';

describe('front door', () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  async function open(targets: () => readonly number[]): Promise<FrontDoor> {
    const door = await FrontDoor.open({ port: 0, targets, clock: systemClock });
    closers.push(() => door.close());
    return door;
  }

  /** A server that answers each chunk with its own name in front. */
  async function backend(name: string): Promise<{ port: number; sockets: Socket[]; server: Server }> {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('data', (chunk) => socket.write(`${name}:${chunk.toString()}`)).on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    });
    return { port: (server.address() as AddressInfo).port, sockets, server };
  }

  async function ask(door: FrontDoor, text: string): Promise<string> {
    const socket = connect(door.port, '127.0.0.1');
    closers.push(() => socket.destroy());
    socket.on('error', () => undefined);
    socket.write(text);
    const [answer] = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => ['closed'])]);
    socket.destroy();
    return String(answer);
  }

  it('forwards bytes both ways', async () => {
    const { port } = await backend('a');
    expect(await ask(await open(() => [port]), 'hello')).to.equal('a:hello');
  });

  it('takes turns over those that serve', async () => {
    const [a, b] = [await backend('a'), await backend('b')];
    const door = await open(() => [a.port, b.port]);
    const answers = [await ask(door, '1'), await ask(door, '1'), await ask(door, '1'), await ask(door, '1')];
    expect(answers.toSorted()).to.deep.equal(['a:1', 'a:1', 'b:1', 'b:1']);
  });

  it('goes on to the next when one does not accept, and loses no byte of the caller', async () => {
    const free = await anyFreePort();
    const { port } = await backend('b');
    const door = await open(() => [free, free, port]);
    for (let turn = 0; turn < 3; turn += 1) expect(await ask(door, 'x'.repeat(1000))).to.equal(`b:${'x'.repeat(1000)}`);
  });

  it('asks anew for each connection who serves', async () => {
    const [a, b] = [await backend('a'), await backend('b')];
    let targets = [a.port];
    const door = await open(() => targets);
    expect(await ask(door, '1')).to.equal('a:1');
    targets = [b.port];
    expect(await ask(door, '1')).to.equal('b:1');
  });

  it('closes a connection at once when nobody serves', async () => {
    expect(await ask(await open(() => []), '1')).to.equal('closed');
  });

  it('closes the caller when the AllocSvr behind it dies, so that it connects again', async () => {
    const { port, sockets } = await backend('a');
    const door = await open(() => [port]);
    const socket = connect(door.port, '127.0.0.1');
    socket.write('1');
    await once(socket, 'data');
    for (const one of sockets) one.destroy();
    await once(socket, 'close');
  });

  it('closes the connection behind when the caller goes without a goodbye', async () => {
    const { port, server } = await backend('a');
    const door = await open(() => [port]);
    const accepted = once(server, 'connection');
    const socket = connect(door.port, '127.0.0.1');
    const [behind] = (await accepted) as [Socket];
    const closed = once(behind, 'close');
    socket.resetAndDestroy();
    await closed;
  });

  it('refuses a port in use by its number', async () => {
    const { port } = await backend('a');
    const refusal = await FrontDoor.open({ port, targets: () => [], clock: systemClock }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(SeqError.is(refusal, 'INVALID_ARGUMENT')).to.equal(true);
    expect((refusal as SeqError).message).to.include(`port ${port} is in use`);
  });

  it('knows a free port from one in use', async () => {
    const { port } = await backend('a');
    expect(await isPortFree(port)).to.equal(false);
    expect(await isPortFree(await anyFreePort())).to.equal(true);
  });
});
