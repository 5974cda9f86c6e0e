import { request } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  // Whatever the answer was: a test looks into it.
  readonly json: Readonly<Record<string, unknown>> & { readonly error?: Readonly<Record<string, unknown>> };
}

export interface Question {
  readonly method?: string;
  readonly path: string;
  readonly body?: string | Buffer | object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request on a connection of its own. An object becomes JSON, but for bytes. */
export function ask(address: string, { method = 'GET', path, body, headers = {} }: Question): Promise<Reply> {
  const [host = '', port = ''] = address.split(':');
  const isJson = typeof body === 'object' && !Buffer.isBuffer(body);
  const all = { ...(isJson ? { 'content-type': 'application/json' } : {}), ...headers };
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path, method, agent: false, headers: all }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: JSON.parse(text) }));
    });
    asked.once('error', reject);
    asked.end(isJson ? JSON.stringify(body) : (body ?? ''));
  });
}

/** A connection that says what it is told, and remembers what it hears. */
export class Line {
  readonly socket: Socket;
  heard = '';

  constructor(address: string, says = '') {
    const [host = '', port = ''] = address.split(':');
    this.socket = connect({ host, port: Number(port) }, () => void this.socket.write(says));
    this.socket.setEncoding('utf8').on('data', (chunk: string) => {
      this.heard += chunk;
    });
    // Being cut is what tests wait for; whether it shows as an error depends on who is first.
    this.socket.on('error', () => undefined);
  }

  get isOver(): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.closed) resolve();
      else this.socket.once('close', () => resolve());
    });
  }

  /** Resolves when it has heard `count` answers, or the connection is over. */
  answers(count = 1): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.socket.closed || (this.heard.match(/HTTP\/1\.1 \d/g) ?? []).length >= count) resolve();
      };
      this.socket.on('data', look).once('close', look);
      look();
    });
  }
}
