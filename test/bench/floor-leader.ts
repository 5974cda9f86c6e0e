import { Client, credentials, Metadata, type sendUnaryData, Server, ServerCredentials, type ServerUnaryCall } from '@grpc/grpc-js';
import type { RaiseResponse } from '../../src/rpc/gen/seqsvr/v1/store.js';
import { Appender } from './appender.js';
import { serveParent } from './child.js';
import { APPEND, decodeIndex, encodeFrame, RAISE, type RawRaise } from './floor-wire.js';

/**
 * The floor: a leader without Raft. It puts each raise on its disk and on those of two followers, and answers when its
 * own and one of theirs have it. Arguments: the data folder, then the addresses of the followers.
 */
const [folder = '', ...followers] = process.argv.slice(2);

interface Unanswered {
  readonly index: number;
  readonly answer: () => void;
}

let lastIndex = 0;
let gathered: Buffer[] = [];
let unanswered: Unanswered[] = [];
let ownIndex = 0;
let followerIndex = 0;

const appender = await Appender.open(folder, (index) => {
  ownIndex = index;
  if (gathered.length > 0) flush();
  answer();
});

const streams = followers.map((address) => {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.max_receive_message_length': -1, 'grpc.enable_channelz': 0 });
  const stream = client.makeBidiStreamRequest(APPEND.path, APPEND.requestSerialize, APPEND.responseDeserialize, new Metadata());
  stream.on('data', (bytes: Buffer) => {
    followerIndex = Math.max(followerIndex, decodeIndex(bytes));
    answer();
  });
  stream.on('error', () => process.exit(1));
  return stream;
});

/** All that came while the write before was under way: to the followers and to the own disk at once. */
function flush(): void {
  const bytes = Buffer.concat(gathered);
  gathered = [];
  const frame = encodeFrame(lastIndex, bytes);
  for (const stream of streams) stream.write(frame);
  appender.push(lastIndex, bytes);
}

function answer(): void {
  const doneIndex = Math.min(ownIndex, followerIndex);
  let count = 0;
  for (; (unanswered[count]?.index ?? Infinity) <= doneIndex; count += 1) unanswered[count]?.answer();
  if (count > 0) unanswered = unanswered.slice(count);
}

const server = new Server({ 'grpc.enable_channelz': 0 });
server.addService(
  { raise: RAISE },
  {
    raise: ({ request: { bytes, request } }: ServerUnaryCall<RawRaise, RaiseResponse>, callback: sendUnaryData<RaiseResponse>) => {
      lastIndex += 1;
      unanswered.push({
        index: lastIndex,
        answer: () => callback(null, { outcomes: request.raises.map(({ to }) => ({ maxSeq: to, error: undefined })) }),
      });
      gathered.push(bytes);
      if (!appender.isWriting) flush();
    },
  },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  serveParent({ address: `127.0.0.1:${port}`, syncCount: () => appender.syncCount });
});
