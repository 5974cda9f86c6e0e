import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { systemClock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Channel, StreamError } from '../rpc/channel.js';
import { AdminServiceService as Admin, type SaveSnapshotResponse } from '../rpc/gen/seqsvr/v1/admin.js';
import { SnapshotWriter } from '../store/snapshot-file.js';
import { type SnapshotTitle, titleFromWire } from '../store/snapshot-title.js';
import { EXIT, RefusedError } from './exit.js';
import { type MemberSession, type Voices, withMembers } from './member-session.js';
import type { ConnectionArgs } from './options.js';
import { print } from './output.js';
import { savedLines } from './snapshot-lines.js';
import { programVersion } from './version.js';

/** Without a further byte for so long, in ms, another leader is looked for. */
const STALL_MS = 10_000;

export interface SavedSnapshot extends SnapshotTitle {
  readonly file: string;
  readonly fileBytes: number;
}

/** `seqctl snapshot save FILE`: what the leader has, confirmed by a quorum, in one file that is whole or not there. */
export function snapshotSave(args: ConnectionArgs & { readonly file: string }, voices: Voices): Promise<number> {
  const file = placeFor(args.file);
  return withMembers(args, voices, async (session) => {
    const body = savedLines(await save(session, file));
    const table = `${body.file}: ${body.fileBytes} bytes, cluster ${body.clusterId} at index ${body.index}, sha256 ${body.sha256}\n`;
    print(voices.output, args.output, { kind: 'SnapshotSaved', body, table });
    return EXIT.ok;
  });
}

/** Tries again, with whoever leads then, for as long as the session has time. */
export function save(session: MemberSession, file: string): Promise<SavedSnapshot> {
  return session.finder.callLeader(async (channel) => {
    try {
      return await receive(channel, file, session);
    } catch (error) {
      // A copy that was not had changes nothing anywhere: whatever broke, nothing was done.
      throw SeqError.is(error) ? error.with({ definite: true }) : error;
    }
  });
}

/** The path where it goes. Throws RefusedError when something is there, INVALID_ARGUMENT when there is no such folder. */
function placeFor(given: string): string {
  const file = resolve(given);
  if (existsSync(file)) throw new RefusedError(`nothing was done: ${file} is there already; give another name, or remove it`);
  if (!statSync(dirname(file), { throwIfNoEntry: false })?.isDirectory())
    throw new SeqError('INVALID_ARGUMENT', `there is no folder ${dirname(file)}`);
  return file;
}

/** One stream into the file. What came of a stream that breaks is discarded: the next one may be of another index. */
async function receive(channel: Channel, file: string, session: MemberSession): Promise<SavedSnapshot> {
  const stream = channel.serverStream(Admin.saveSnapshot, { clusterId: '' });
  const watch = new StallWatch(() => stream.destroy(new SeqError('UNAVAILABLE', `${channel.address} sent nothing for ${STALL_MS} ms`)));
  let writer: SnapshotWriter | undefined;
  let title: SnapshotTitle | undefined;
  try {
    let receivedBytes = 0;
    // One chunk at a time: the next is read when this one is written.
    for await (const message of stream) {
      watch.restart();
      const { part } = message as SaveSnapshotResponse;
      if (part?.$case === 'title' && title === undefined) {
        title = titleFromWire(part.value);
        writer = await SnapshotWriter.begin(file, title, programVersion());
      } else if (part?.$case === 'data' && title !== undefined && writer !== undefined) {
        await writer.add(part.value);
        receivedBytes += part.value.length;
        session.progress(`${file}: ${Math.floor((receivedBytes * 10) / title.totalBytes) * 10}%`);
      } else throw new SeqError('PROTOCOL', `${channel.address} sent a snapshot in another order than title, then data`);
    }
    if (title === undefined || writer === undefined) throw new SeqError('PROTOCOL', `${channel.address} ended the snapshot before it began`);
    return { ...title, file, fileBytes: await writer.finish() };
  } catch (error) {
    stream.cancel();
    await writer?.discard();
    throw isStreamError(error) ? channel.errorOf(error) : error;
  } finally {
    watch.stop();
  }
}

function isStreamError(error: unknown): error is StreamError {
  return error instanceof Error && !(error instanceof SeqError) && 'metadata' in error && 'details' in error;
}

/** Calls `onStall` once when it was not restarted in time. */
class StallWatch {
  readonly #onStall: () => void;
  #cancel: () => void = () => undefined;

  constructor(onStall: () => void) {
    this.#onStall = onStall;
    this.restart();
  }

  restart(): void {
    this.#cancel();
    this.#cancel = systemClock.after(STALL_MS, this.#onStall);
  }

  stop(): void {
    this.#cancel();
  }
}
