import { Server, ServerCredentials, type handleUnaryCall } from '@grpc/grpc-js';
import { SeqServiceService } from '../../../../src/rpc/gen/seqsvr/v1/seq.js';

/** The least that a grpc-js server of a unary method can do: no message is read, the answer is always the same bytes. */
const answer = Buffer.alloc(Number(process.argv[2]));
const same = (bytes: Buffer): Buffer => bytes;
const echo: handleUnaryCall<Buffer, Buffer> = (_call, callback) => callback(null, answer);

const server = new Server({ 'grpc.enable_channelz': 0 });
const next = { ...SeqServiceService.next, requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
server.addService({ next }, { next: echo });
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.send?.(`127.0.0.1:${port}`);
});
// It ends with whoever started it.
process.on('disconnect', () => process.exit(0));
