import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import type { MemorySeqInjection } from '../../src/client/testing.js';
import { MemorySeqServer } from '../../src/client/testing.js';
import { projectRoot } from '../project-root.js';
import { type Installation, installation } from './installation.js';

/** What the test uses of examples/raw-grpc/seq-client.mjs, which has no types: it is what another language would have. */
interface RawSeqClient {
  readonly counts: { readonly tablesLearned: number; readonly redirectsFollowed: number; readonly retries: number };
  next(uid: bigint, options?: { count?: number; floor?: bigint }): Promise<{ first: bigint; last: bigint }>;
  nextMany(uids: readonly bigint[]): Promise<(bigint | Error)[]>;
  close(): void;
}

const EXAMPLE = join(projectRoot, 'examples', 'raw-grpc');

describe('examples/raw-grpc: a client made of the .proto files alone', function () {
  this.timeout(240_000);

  describe('beside a server in memory', () => {
    async function withServer(faults: readonly MemorySeqInjection[], use: (client: RawSeqClient, server: MemorySeqServer) => Promise<void>) {
      const server = await MemorySeqServer.start({ faults });
      const client = await clientOf([server.address]);
      try {
        await use(client, server);
      } finally {
        client.close();
        await server.close();
      }
    }

    it('waits and asks again after what is retryable, and not after what is not', async () => {
      const fault = { type: 'error', code: 'UNAVAILABLE' } as const;
      await withServer([{ method: 'next', fault, times: 2 }], async (client) => {
        expect(await client.next(42n)).to.deep.equal({ first: 1n, last: 1n });
        expect(client.counts.retries).to.equal(2);
        const refusal = await client.next(42n, { count: 1_000_001 }).then(
          () => undefined,
          (error: Error & { code: string }) => error.code,
        );
        expect(refusal).to.equal('INVALID_ARGUMENT');
        expect(client.counts.retries).to.equal(2);
      });
    });

    it('goes where NOT_OWNER sends it, at once', async () => {
      await withServer([], async (client, server) => {
        server.inject({ method: 'next', fault: { type: 'error', code: 'NOT_OWNER', redirect: { id: 'other', address: server.address } } });
        expect(await client.next(42n)).to.deep.equal({ first: 1n, last: 1n });
        expect([client.counts.redirectsFollowed, client.counts.retries]).to.deep.equal([1, 0]);
      });
    });

    it('gets a number for each uid in the order asked, those that failed at the second try', async () => {
      await withServer([{ method: 'nextMany', fault: { type: 'error', code: 'RESOURCE_EXHAUSTED', retryAfterMs: 1 } }], async (client) => {
        expect(await client.nextMany([5n, 6n, 5n, 2n ** 32n - 1n])).to.deep.equal([1n, 1n, 2n, 1n]);
      });
    });
  });

  describe('beside the cluster of the package', () => {
    let stranger: Installation;
    before(async () => {
      stranger = await installation();
      cpSync(join(stranger.folder, 'node_modules', 'seqsvr', 'examples', 'raw-grpc'), join(stranger.folder, 'raw-grpc'), { recursive: true });
    });

    it('runs from the package', async () => {
      const { code, out, talk } = await stranger.run(process.execPath, ['raw-grpc/main.mjs', '--endpoints', stranger.address, '--uid', '5000042']);
      expect(code, talk).to.equal(0);
      expect(out).to.match(/^next\(5000042\), 100 at once: 2 to 101$/m);
      expect(out).to.match(/^nextMany: 102, \d+, \d+, 103$/m);
    });

    it('takes rising numbers while the uid moves from one AllocSvr to the other and back', async () => {
      const client = await clientOf([stranger.address]);
      const moving = (async () => {
        const moves = [];
        for (const to of ['alloc-1', 'alloc-2', 'alloc-1']) {
          moves.push(await stranger.run('seqctl', ['section', 'move', '50', '--to', to, '--yes'], { SEQSVR_ENDPOINTS: stranger.address }));
        }
        return moves;
      })();
      const moved = new AbortController();
      void moving.finally(() => moved.abort());
      let highest = 0n;
      let count = 0;
      while (!moved.signal.aborted) {
        const { first } = await client.next(5_000_042n, { floor: highest });
        expect(first > highest, `${first} after ${highest}`).to.equal(true);
        highest = first;
        count++;
      }
      client.close();
      // It may be with alloc-1 already; then the first move is refused.
      for (const { code, talk } of (await moving).slice(1)) expect(code, talk).to.equal(0);
      expect(count).to.be.greaterThan(10);
      expect(client.counts.tablesLearned).to.be.greaterThan(2);
    });
  });
});

async function clientOf(seeds: readonly string[]): Promise<RawSeqClient> {
  const module = (await import(pathToFileURL(join(EXAMPLE, 'seq-client.mjs')).href)) as {
    RawSeqClient: new (options: { protoDir: string; seeds: readonly string[] }) => RawSeqClient;
  };
  return new module.RawSeqClient({ protoDir: join(projectRoot, 'src', 'rpc', 'proto'), seeds });
}
