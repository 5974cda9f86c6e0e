import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { projectRoot } from '../project-root.js';
import { encodeReference, type Plain, randomPlain, type Value } from '../unit/rpc/plain.js';
import type { SeededRandom } from '../unit/seeded-random.js';

/** Values that mean something to a stage, by the name of the field in any message; those that fit come first. */
export type Words = Readonly<Record<string, readonly Value[]>>;

/** How often a field has one of its words rather than anything. */
const MEANINGFUL = 0.93;
const folder = join(projectRoot, 'src', 'rpc', 'proto');
const root = loaded();

/** By its short name, such as 'NextRequest'. */
export function typeOf(name: string): protobuf.Type {
  return root.lookupType(`seqsvr.v1.${name}`);
}

/** The request of a method, such as 'StoreService.Raise'. */
export function requestTypeOf(service: string, method: string): protobuf.Type {
  const declared = root.lookupService(`seqsvr.v1.${service}`).methodsArray.find(({ name }) => name.toLowerCase() === method.toLowerCase());
  if (!declared?.resolvedRequestType) throw new Error(`there is no method ${service}.${method}`);
  return declared.resolvedRequestType;
}

/** A message as somebody who knows the stage would send it, most of the time. */
export function randomMessage(type: protobuf.Type, random: SeededRandom, words: Words): Uint8Array {
  return encodeReference(type, meant(type, randomPlain(type, random), random, words));
}

function meant(type: protobuf.Type, plain: Plain, random: SeededRandom, words: Words): Plain {
  const changed: Plain = {};
  for (const field of type.fieldsArray) {
    const value = plain[field.name];
    if (value === undefined) continue;
    const { resolvedType, name } = field;
    const choices = words[name];
    const one = (given: Value): Value => {
      if (resolvedType instanceof protobuf.Type) return meant(resolvedType, given as Plain, random, words);
      return choices !== undefined && random.chance(MEANINGFUL) ? likely(choices, random) : given;
    };
    changed[name] = Array.isArray(value) ? value.map(one) : one(value);
  }
  return changed;
}

/** The first words more often than the last: they are the ones that fit. */
function likely(choices: readonly Value[], random: SeededRandom): Value {
  return choices[Math.min(random.below(choices.length), random.below(choices.length), random.below(choices.length))] ?? '';
}

function loaded(): protobuf.Root {
  const files = readdirSync(join(folder, 'seqsvr', 'v1')).filter((name) => name.endsWith('.proto'));
  const made = new protobuf.Root();
  made.resolvePath = (_, target) => join(folder, target);
  made.loadSync(files.map((name) => `seqsvr/v1/${name}`)).resolveAll();
  return made;
}
