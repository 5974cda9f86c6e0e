import { createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { type Pair, pairsOf } from '../../../src/cli/import-pairs.js';
import { redisPairs } from '../../../src/cli/import-redis.js';
import { decodeReply, RespClient } from '../../../src/cli/resp.js';

describe('pairs of uid and number', () => {
  it('are read from CSV, from COPY and from mysql -B, with names above them or not, wherever the chunks are cut', async () => {
    const expected = [
      { uid: 1n, seq: 70n },
      { uid: 18_446_744_073_709_551_615n, seq: 9_223_372_036_854_775_807n },
    ];
    for (const text of [
      '1,70\n18446744073709551615,9223372036854775807\n',
      'uid,seq\r\n1,70\r\n18446744073709551615,9223372036854775807',
      '"uid","max_id","step"\n"1","70",1000\n\n"18446744073709551615","9223372036854775807",1000\n',
      'uid\tmax_id\n1\t70\n18446744073709551615\t9223372036854775807\n',
    ])
      for (const size of [1, 3, 1_000]) expect(await read(text, size), `${JSON.stringify(text)} by ${size}`).to.deep.equal(expected);
  });

  for (const [text, why] of [
    ['1,2\nx,3\n', "list:2: a uid must be a whole number in [0, 2^64), got 'x'"],
    ['1\n', "list:1: a number handed out must be a whole number in [0, 2^63), got ''"],
    ['1,9223372036854775808\n', 'list:1: a number handed out'],
    ['18446744073709551616,1\n', 'list:1: a uid must be'],
    ['-1,5\n', "list:1: a uid must be a whole number in [0, 2^64), got '-1'"],
    ['1,1.5\n', 'list:1: a number handed out'],
    ['uid,seq\nuid,seq\n', 'list:2: a uid must be'],
    ['1'.repeat(5_000), 'list: a line has more than 4096 characters'],
  ] as const) {
    it(`refuse ${JSON.stringify(text.slice(0, 30))} with the place and the rule`, async () => {
      const error = await read(text, 1_000).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      expect(SeqError.is(error, 'INVALID_ARGUMENT') && error.message).to.contain(why);
    });
  }

  async function read(text: string, size: number): Promise<Pair[]> {
    const bytes = Buffer.from(text, 'utf8');
    async function* chunks() {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    }
    const pairs: Pair[] = [];
    for await (const pair of pairsOf(chunks(), 'list')) pairs.push(pair);
    return pairs;
  }
});

describe('replies of Redis', () => {
  const reply = (text: string) => decodeReply(Buffer.from(text, 'utf8'));

  it('are read whole or not at all', () => {
    const whole = '*4\r\n$2\r\n17\r\n*2\r\n$5\r\nseq:1\r\n$5\r\nseq:2\r\n$-1\r\n:42\r\n';
    expect(reply(whole)).to.deep.equal({ value: ['17', ['seq:1', 'seq:2'], null, 42n], end: whole.length });
    for (let length = 0; length < whole.length; length += 1) expect(reply(whole.slice(0, length)), String(length)).to.equal(undefined);
    expect(reply('-WRONGPASS no\r\n')).to.deep.include({ error: 'WRONGPASS no' });
  });

  it('that are none, or would fill the memory, are refused', () => {
    for (const text of ['HTTP/1.1 400\r\n', '$99999999999\r\n', '$x\r\n', '*-2\r\n', '*1\r\n'.repeat(6)])
      expect(() => reply(text), text)
        .to.throw(SeqError)
        .with.property('code', 'PROTOCOL');
  });
});

describe('an import from Redis', () => {
  let server: Server;
  let answers: Record<string, string>;
  let heard: string[];
  const sockets: Socket[] = [];

  beforeEach(async () => {
    heard = [];
    server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        const words = bytes
          .toString()
          .split('\r\n')
          .filter((_, at) => at > 0 && at % 2 === 0);
        const command = words.join(' ');
        heard.push(command);
        const answer = answers[command];
        if (answer === undefined) socket.destroy();
        else socket.write(answer);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
  });

  it('goes through all keys under the prefix, taken as it is, and passes over those that are no counters of uids', async () => {
    answers = {
      'AUTH geheim': '+OK\r\n',
      'SELECT 3': '+OK\r\n',
      'SCAN 0 MATCH s\\[1\\]:* COUNT 2000': '*2\r\n$1\r\n9\r\n*3\r\n$6\r\ns[1]:7\r\n$9\r\ns[1]:note\r\n$6\r\ns[1]:8\r\n',
      'MGET s[1]:7 s[1]:8': '*2\r\n$2\r\n55\r\n$-1\r\n',
      'SCAN 9 MATCH s\\[1\\]:* COUNT 2000': '*2\r\n$1\r\n0\r\n*0\r\n',
    };
    const ignored: string[] = [];
    const pairs: Pair[] = [];
    for await (const pair of redisPairs(sourceOf((key) => ignored.push(key)))) pairs.push(pair);
    expect(pairs).to.deep.equal([{ uid: 7n, seq: 55n }]);
    expect(ignored).to.deep.equal(['s[1]:note', 's[1]:8']);
    expect(heard.length).to.equal(5);
  });

  it('is refused with the key when a counter is no number, with what Redis says, and when it hangs up', async () => {
    const login = {
      'AUTH geheim': '+OK\r\n',
      'SELECT 3': '+OK\r\n',
      'SCAN 0 MATCH s\\[1\\]:* COUNT 2000': '*2\r\n$1\r\n0\r\n*1\r\n$6\r\ns[1]:7\r\n',
    };
    for (const [change, code, why] of [
      [{ ...login, 'MGET s[1]:7': '*1\r\n$1\r\nx\r\n' }, 'INVALID_ARGUMENT', "redis key 's[1]:7'"],
      [{ 'AUTH geheim': '-WRONGPASS invalid\r\n' }, 'INVALID_ARGUMENT', 'WRONGPASS'],
      [login, 'UNAVAILABLE', 'closed the connection'],
    ] as const) {
      answers = change;
      const error = await drain().then(
        () => undefined,
        (cause: unknown) => cause,
      );
      expect(SeqError.is(error, code) && error.message, why).to.contain(why);
    }
  });

  it('is refused where nobody listens', async () => {
    const error = await RespClient.open({ host: '127.0.0.1', port: 1 }).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(SeqError.is(error, 'UNAVAILABLE')).to.equal(true);
  });

  async function drain(): Promise<void> {
    for await (const pair of redisPairs(sourceOf(() => undefined))) expect(pair).to.have.keys('uid', 'seq');
  }

  function sourceOf(onIgnored: (key: string) => void) {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return { host: '127.0.0.1', port, database: 3, password: 'geheim', prefix: 's[1]:', onIgnored };
  }
});
