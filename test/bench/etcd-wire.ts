import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { MethodDefinition } from '@grpc/grpc-js';

export interface Put {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What one member says of itself and of its set; 0: it knows no leader. */
export interface EtcdStatus {
  readonly memberId: bigint;
  readonly leaderId: bigint;
}

/** etcdserverpb.KV.Put, as little of it as is needed. What it answers is not looked at. */
export const PUT: MethodDefinition<Put, Buffer> = unary('/etcdserverpb.KV/Put', encodePut, (bytes) => bytes);

/** etcdserverpb.Maintenance.Status. */
export const STATUS: MethodDefinition<undefined, EtcdStatus> = unary('/etcdserverpb.Maintenance/Status', () => Buffer.alloc(0), decodeStatus);

/** PutRequest { bytes key = 1; bytes value = 2 } */
export function encodePut({ key, value }: Put): Buffer {
  return Buffer.from(new BinaryWriter().uint32(10).bytes(key).uint32(18).bytes(value).finish());
}

/** StatusResponse { ResponseHeader header = 1; uint64 leader = 4 }, ResponseHeader { uint64 member_id = 2 } */
export function decodeStatus(bytes: Uint8Array): EtcdStatus {
  const { 1: header, 4: leaderId } = fieldsOf(bytes);
  const memberId = header instanceof Uint8Array ? fieldsOf(header)[2] : undefined;
  return { memberId: typeof memberId === 'bigint' ? memberId : 0n, leaderId: typeof leaderId === 'bigint' ? leaderId : 0n };
}

/** The last value of each field: a bigint of a number, bytes of anything with a length. */
function fieldsOf(bytes: Uint8Array): Readonly<Record<number, bigint | Uint8Array>> {
  const reader = new BinaryReader(bytes);
  const fields: Record<number, bigint | Uint8Array> = {};
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.Varint) fields[field] = BigInt(reader.uint64());
    else if (type === WireType.LengthDelimited) fields[field] = reader.bytes();
    else reader.skip(type);
  }
  return fields;
}

function unary<Request, Response>(
  path: string,
  serialize: (request: Request) => Buffer,
  deserialize: (bytes: Buffer) => Response,
): MethodDefinition<Request, Response> {
  const never = (): never => {
    throw new Error('this side is only ever the client');
  };
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: serialize,
    responseDeserialize: deserialize,
    requestDeserialize: never,
    responseSerialize: never,
  };
}
