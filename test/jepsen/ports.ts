import { createServer, type Server } from 'node:net';

/** Below the ports that a kernel gives to outgoing connections: a node that is down must find its port free again. */
const PORTS_FROM = 20_000;
const PORTS_TO = 32_000;
const TRIES_MAX = 1_000;
/** What this process was given already: who asked first may not listen yet. */
const given = new Set<number>();

/** `count` different loopback ports that nobody listens on now, and that nobody here was given before. */
export async function freePorts(count: number): Promise<number[]> {
  const held: Server[] = [];
  const ports: number[] = [];
  try {
    for (let tries = 0; ports.length < count; tries++) {
      if (tries === TRIES_MAX) throw new Error(`no ${count} free ports in [${PORTS_FROM}, ${PORTS_TO})`);
      const port = PORTS_FROM + Math.floor(Math.random() * (PORTS_TO - PORTS_FROM));
      if (given.has(port)) continue;
      given.add(port);
      const server = await listen(port);
      if (server === undefined) continue;
      held.push(server);
      ports.push(port);
    }
    return ports;
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

/** Undefined when the port is taken. */
function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
