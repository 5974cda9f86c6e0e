import { messageOf } from '../base/errors.js';
import { DamageError } from '../store/damage.js';
import type { Identity } from '../store/data-dir.js';
import { QuarantineServer } from '../store/quarantine-server.js';
import type { StoreConfig } from './config.js';
import type { ProcessContext, Running } from './process.js';
import type { Wire } from '../rpc/wire.js';
import { programVersion } from './version.js';

/** What quarantine.json says. */
export interface QuarantineNote {
  readonly reason: string;
  readonly sinceUnixMs: number;
}

/** The quarantine of one data directory on disk. */
export interface QuarantineFiles {
  /** Undefined: it is not quarantined. */
  read(): Promise<QuarantineNote | undefined>;
  /** On disk when it returns: the process may end right after. A note that is there stays: the first reason counts. */
  write(note: QuarantineNote): void;
  /** Undefined: it cannot be read. */
  identity(): Promise<Identity | undefined>;
  /** Leaves an empty data directory, and resolves with where the old content is. */
  setAside(): Promise<string>;
}

export interface QuarantineParts {
  /** Hears of the server that stands in for the StoreSvr. */
  readonly onQuarantined?: ((server: QuarantineServer) => void) | undefined;
  readonly config: Pick<StoreConfig, 'name' | 'cluster' | 'join' | 'listen' | 'advertise' | 'peerAdvertise'>;
  readonly context: Pick<ProcessContext, 'clock' | 'log' | 'fail'>;
  readonly files: QuarantineFiles;
  /** How calls travel. Default: plain gRPC. */
  readonly wire?: Wire | undefined;
  /** Starts the StoreSvr. `onFatal` hears what ends it at run time. */
  readonly start: (how: { readonly join: boolean; readonly onFatal: (error: unknown) => void }) => Promise<Running>;
}

/**
 * A StoreSvr, or what stands in for it while its data cannot be believed; that one becomes a joiner in the same process
 * once an operator says so. Damage that is found at run time ends the process, and the next start finds the note of it.
 * Only damage is noted: a storage error says nothing about the data, so the next start looks for itself.
 */
export async function serveUnlessQuarantined(parts: QuarantineParts): Promise<Running> {
  const { config, files, start } = parts;
  const onFatal = (error: unknown): void => endWithNote(parts, error);
  let note = await files.read();
  if (note === undefined) {
    try {
      return await start({ join: config.join, onFatal });
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      note = noteOf(parts, error);
      files.write(note);
    }
  }
  return serveQuarantined(parts, note, () => start({ join: true, onFatal }));
}

async function serveQuarantined(
  { config, context, files, wire, onQuarantined }: QuarantineParts,
  note: QuarantineNote,
  join: () => Promise<Running>,
): Promise<Running> {
  const { clock, log, fail } = context;
  const { name, listen, advertise, peerAdvertise } = config;
  const server = await QuarantineServer.start({
    name,
    listen,
    advertise,
    peerAdvertise,
    clock,
    wire,
    clusterId: config.cluster,
    identity: await files.identity(),
    quarantine: note,
    build: { version: programVersion(), pid: process.pid },
    setAside: () => files.setAside(),
    onFatal: fail,
  });
  onQuarantined?.(server);
  log.write('error', 'quarantined', { reason: note.reason, sinceUnixMs: note.sinceUnixMs });
  let running: Promise<Running> = Promise.resolve(server);
  void server.rejoined.then(() => {
    log.write('warn', 'rejoining', {});
    running = server.stop().then(join);
    running.catch(fail);
  });
  // Whoever stops while it changes over stops what it becomes.
  return { address: server.address, stop: async () => (await running).stop() };
}

/** Writes the note BEFORE the process ends; a disk that does not take it changes nothing about the end. */
function endWithNote(parts: QuarantineParts, error: unknown): void {
  const { context, files } = parts;
  if (error instanceof DamageError) {
    try {
      files.write(noteOf(parts, error));
    } catch (cause) {
      context.log.write('error', 'quarantineNotNoted', { error: cause });
    }
  }
  context.fail(error);
}

function noteOf({ context }: QuarantineParts, error: DamageError): QuarantineNote {
  return { reason: messageOf(error), sinceUnixMs: context.clock.wallMs() };
}
