import { once } from 'node:events';
import { SeqError } from '../base/errors.js';
import { parseAllocId, toSectionId } from '../model/ids.js';
import type { ChannelPool } from '../rpc/channel-pool.js';
import { digestFromWire, digestToWire, epochFromWire, seqFromWire } from '../rpc/codec.js';
import { HandoffServiceService, type PullRequest, type PullResponse } from '../rpc/gen/seqsvr/v1/handoff.js';
import type { Handlers, Service } from '../rpc/server.js';
import type { PullCounters } from './handoff-intake.js';
import type { Chunk, HandoffSource, Pull, Sink } from './handoff-source.js';

/** Sections in one pull, and hashes of pages in each: what more asks for is refused. */
const SECTIONS_MAX = 10_000;
const HASHES_MAX = 100_000;

/** The owner's side on the wire. */
export function handoffService(source: () => HandoffSource, handlers: Handlers): Service {
  return {
    definition: HandoffServiceService,
    implementation: {
      pull: handlers.serverStream<PullRequest, PullResponse>((request, stream) => {
        const pull = pullFromWire(request);
        // Whoever goes away in the middle is no news; without a listener it would end the process.
        stream.on('error', () => undefined);
        const sink: Sink = {
          isCancelled: () => stream.cancelled || stream.destroyed,
          write: async (chunk) => {
            if (stream.cancelled || stream.destroyed) return;
            if (!stream.write(chunkToWire(chunk))) await Promise.race([once(stream, 'drain'), once(stream, 'close'), once(stream, 'cancelled')]);
          },
        };
        source()
          .pull(pull, sink)
          .then(
            () => stream.end(),
            (error: unknown) => handlers.refuse(stream, error),
          );
      }),
    },
  };
}

/** The successor's side on the wire; `allocId`, `incarnation`: who it is. */
export function pullOver(pool: ChannelPool, caller: { readonly allocId: string; readonly incarnation: string }): PullCounters {
  return (address, wanted, handlers, signal) =>
    new Promise((resolve, reject) => {
      const sections = wanted.map(({ section, epoch, has }) => ({
        section,
        epoch: BigInt(epoch),
        pages: [...has].map(([page, hash]) => ({ page, hash: Buffer.from(hash) })),
      }));
      const channel = pool.to(address);
      const stream = channel.serverStream(HandoffServiceService.pull, { ...caller, sections });
      const abort = (): void => stream.cancel();
      const end = (error: SeqError | undefined): void => {
        signal.removeEventListener('abort', abort);
        if (error === undefined) resolve();
        else reject(error);
      };
      signal.addEventListener('abort', abort, { once: true });
      stream.on('data', (response: PullResponse) => {
        try {
          handlers.onPages(response.pages.map(({ section, page, counters }) => ({ section: toSectionId(section), page, bytes: counters })));
          handlers.onSealed(
            response.sealed.map((seal) => ({
              section: toSectionId(seal.section),
              epoch: epochFromWire(seal.epoch),
              defaultSeq: seqFromWire(seal.defaultSeq),
              trueMax: seqFromWire(seal.trueMax),
              digest: digestFromWire(seal.digest),
            })),
          );
        } catch (error) {
          stream.cancel();
          end(error instanceof SeqError ? error : new SeqError('PROTOCOL', `counters that cannot be read: ${String(error)}`, { cause: error }));
        }
      });
      stream.on('error', (error) => end(channel.errorOf(error as Parameters<typeof channel.errorOf>[0])));
      stream.on('end', () => end(undefined));
    });
}

function pullFromWire({ allocId, sections }: PullRequest): Pull {
  const hashCount = sections.reduce((sum, { pages }) => sum + pages.length, 0);
  if (sections.length > SECTIONS_MAX || hashCount > HASHES_MAX)
    throw new SeqError(
      'INVALID_ARGUMENT',
      `a pull names at most ${SECTIONS_MAX} sections and ${HASHES_MAX} pages, got ${sections.length} and ${hashCount}`,
    );
  return {
    allocId: parseAllocId(allocId),
    sections: sections.map(({ section, epoch, pages }) => ({
      section: toSectionId(section),
      epoch: epochFromWire(epoch),
      has: new Map(pages.map(({ page, hash }) => [page, hash])),
    })),
  };
}

function chunkToWire({ pages, sealed, refused }: Chunk): PullResponse {
  return {
    pages: pages.map(({ section, page, bytes }) => ({ section, page, counters: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) })),
    sealed: sealed.map(({ section, epoch, defaultSeq, trueMax, digest }) => ({
      section,
      epoch: BigInt(epoch),
      defaultSeq,
      trueMax,
      digest: digestToWire(digest),
    })),
    refused: [...refused],
  };
}
