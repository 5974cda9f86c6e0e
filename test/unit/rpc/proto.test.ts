import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import protobuf from 'protobufjs';
import * as health from '../../../src/rpc/gen/grpc/health/v1/health.js';
import * as admin from '../../../src/rpc/gen/seqsvr/v1/admin.js';
import * as common from '../../../src/rpc/gen/seqsvr/v1/common.js';
import * as handoff from '../../../src/rpc/gen/seqsvr/v1/handoff.js';
import * as log from '../../../src/rpc/gen/seqsvr/v1/log.js';
import * as placement from '../../../src/rpc/gen/seqsvr/v1/placement.js';
import * as raft from '../../../src/rpc/gen/seqsvr/v1/raft.js';
import * as seq from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import * as store from '../../../src/rpc/gen/seqsvr/v1/store.js';
import { projectRoot } from '../../project-root.js';
import { SeededRandom } from '../seeded-random.js';
import { decodeReference, encodeReference, randomPlain, toGenerated } from './plain.js';

/** The committed code, by the .proto file that it must match. */
const GENERATED: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'grpc/health/v1/health.proto': health,
  'seqsvr/v1/admin.proto': admin,
  'seqsvr/v1/common.proto': common,
  'seqsvr/v1/handoff.proto': handoff,
  'seqsvr/v1/log.proto': log,
  'seqsvr/v1/placement.proto': placement,
  'seqsvr/v1/raft.proto': raft,
  'seqsvr/v1/seq.proto': seq,
  'seqsvr/v1/store.proto': store,
};
const ROUNDS = 60;

interface Codec {
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
}

interface Method {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (message: unknown) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => unknown;
  readonly responseSerialize: (message: unknown) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
}

/**
 * No compiler takes part: an independent reader of the .proto files (protobufjs) and the committed code must
 * understand each other's bytes, for every message and both ways.
 */
describe('the generated code matches the .proto files', () => {
  const folder = join(projectRoot, 'src', 'rpc', 'proto');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.proto'));
  const root = new protobuf.Root();
  root.resolvePath = (_, target) => join(folder, target);
  root.loadSync(files, { alternateCommentMode: true }).resolveAll();
  const objects = allBelow(root);

  it('has a module for each file, and nothing that no file asks for', () => {
    expect(files.sort()).to.deep.equal(Object.keys(GENERATED));
    const named = new Set(objects.map((object) => `${fileOf(object)} ${object.name}${object instanceof protobuf.Service ? 'Service' : ''}`));
    const made = Object.entries(GENERATED).flatMap(([file, module]) =>
      Object.entries(module).flatMap(([name, value]) => (isCodec(value) || name.endsWith('Service') ? [`${file} ${name}`] : [])),
    );
    expect(made.filter((name) => !named.has(name))).to.deep.equal([]);
    const coded = objects.filter((object) => object instanceof protobuf.Type || object instanceof protobuf.Service);
    expect(made.length).to.equal(coded.length);
  });

  for (const type of objects.filter((object) => object instanceof protobuf.Type)) {
    it(`${type.fullName.slice(1)} encodes and decodes as declared`, () => {
      const codec = GENERATED[fileOf(type)]?.[type.name];
      expect(isCodec(codec)).to.equal(true);
      const random = new SeededRandom(type.fullName.length);
      for (let round = 0; round < ROUNDS; round++) {
        const plain = randomPlain(type, random);
        const message = toGenerated(type, plain);
        expect(decodeReference(type, (codec as Codec).encode(message).finish())).to.deep.equal(plain);
        expect((codec as Codec).decode(encodeReference(type, plain))).to.deep.equal(message);
      }
    });
  }

  for (const declared of objects.filter((object) => object instanceof protobuf.Enum)) {
    it(`${declared.fullName.slice(1)} has the declared values`, () => {
      const name = declared.parent instanceof protobuf.Type ? `${declared.parent.name}_${declared.name}` : declared.name;
      expect(GENERATED[fileOf(declared)]?.[name]).to.deep.equal({ ...declared.values, UNRECOGNIZED: -1 });
    });
  }

  for (const service of objects.filter((object) => object instanceof protobuf.Service)) {
    it(`${service.fullName.slice(1)} has the declared methods`, () => {
      const definition = GENERATED[fileOf(service)]?.[`${service.name}Service`] as Readonly<Record<string, Method>>;
      const paths = Object.values(definition).map(({ path }) => path);
      expect(paths).to.have.members(service.methodsArray.map((method) => `/${service.fullName.slice(1)}/${method.name}`));
      for (const method of service.methodsArray) checkMethod(definition[lowerFirst(method.name)]!, method);
    });
  }

  it('documents every field of our own messages', () => {
    const fields = objects.flatMap((object) => (object instanceof protobuf.Type && fileOf(object).startsWith('seqsvr/') ? object.fieldsArray : []));
    const silent = fields.filter(({ comment }) => (comment ?? '').trim() === '').map(({ fullName }) => fullName.slice(1));
    expect(silent, `${silent.length} of ${fields.length} fields`).to.deep.equal([]);
  });

  function checkMethod(made: Method, declared: protobuf.Method): void {
    const random = new SeededRandom(declared.name.length);
    expect([made.requestStream, made.responseStream]).to.deep.equal([declared.requestStream === true, declared.responseStream === true]);
    const { resolvedRequestType: request, resolvedResponseType: response } = declared;
    for (let round = 0; round < ROUNDS; round++) {
      const asked = randomPlain(request!, random);
      expect(decodeReference(request!, made.requestSerialize(toGenerated(request!, asked)))).to.deep.equal(asked);
      expect(made.requestDeserialize(Buffer.from(encodeReference(request!, asked)))).to.deep.equal(toGenerated(request!, asked));
      const answer = randomPlain(response!, random);
      expect(decodeReference(response!, made.responseSerialize(toGenerated(response!, answer)))).to.deep.equal(answer);
      expect(made.responseDeserialize(Buffer.from(encodeReference(response!, answer)))).to.deep.equal(toGenerated(response!, answer));
    }
  }

  function fileOf(object: protobuf.ReflectionObject): string {
    return (object.filename ?? '').replaceAll('\\', '/').slice(folder.length + 1);
  }
});

function allBelow(namespace: protobuf.NamespaceBase): protobuf.ReflectionObject[] {
  return namespace.nestedArray.flatMap((object) => [object, ...(object instanceof protobuf.Namespace ? allBelow(object) : [])]);
}

function isCodec(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'encode' in value && 'decode' in value;
}

function lowerFirst(name: string): string {
  return name.slice(0, 1).toLowerCase() + name.slice(1);
}
