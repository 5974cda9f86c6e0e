import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { Appender } from './appender.js';
import { serveParent } from './child.js';
import { APPEND, decodeFrame, encodeIndex } from './floor-wire.js';

/** A follower without Raft: puts what comes on disk and says how far it is. Its argument is the data folder. */
const [folder = ''] = process.argv.slice(2);
let leader: ServerDuplexStream<Buffer, Buffer> | undefined;
const appender = await Appender.open(folder, (index) => void leader?.write(encodeIndex(index)));

const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.enable_channelz': 0 });
server.addService(
  { append: APPEND },
  {
    append: (stream: ServerDuplexStream<Buffer, Buffer>) => {
      leader = stream;
      stream.on('data', (frame: Buffer) => {
        const { index, bytes } = decodeFrame(frame);
        appender.push(index, bytes);
      });
      stream.on('error', () => process.exit(1)).on('end', () => stream.end());
    },
  },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  serveParent({ address: `127.0.0.1:${port}`, syncCount: () => appender.syncCount });
});
