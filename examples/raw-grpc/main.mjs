import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { RawSeqClient } from './seq-client.mjs';

const { values } = parseArgs({
  options: {
    endpoints: { type: 'string', default: '127.0.0.1:7070' },
    protos: { type: 'string' },
    uid: { type: 'string', default: '42' },
    seconds: { type: 'string', default: '0' },
  },
});
// The package has the files; another language takes a copy of them.
const published = () => dirname(dirname(dirname(fileURLToPath(import.meta.resolve('seqsvr/proto/seqsvr/v1/seq.proto')))));
const client = new RawSeqClient({ protoDir: values.protos ?? published(), seeds: values.endpoints.split(',') });

const uid = BigInt(values.uid);
let highest = 0n;
let count = 0;
/** Takes one number and compares it with the highest before. */
async function take() {
  const { first } = await client.next(uid, { floor: highest });
  if (first <= highest) throw new Error(`${first} came after ${highest}`);
  highest = first;
  count++;
}

await take();
console.log(`next(${uid}): ${highest}`);
const { first, last } = await client.next(uid, { count: 100 });
highest = last;
console.log(`next(${uid}), 100 at once: ${first} to ${last}`);
const { seq, exact } = await client.current(uid);
console.log(`current(${uid}): ${seq}${exact ? '' : ' at most'}`);
const many = await client.nextMany([uid, 7n, 4_000_000_000n, uid]);
console.log(`nextMany: ${many.map((answer) => (typeof answer === 'bigint' ? `${answer}` : answer.message)).join(', ')}`);
highest = many[3];

const endMs = Date.now() + Number(values.seconds) * 1000;
while (Date.now() < endMs) await take();
const { tablesLearned, redirectsFollowed, retries } = client.counts;
console.log(
  `${count} numbers one by one, each above the one before; tables learned ${tablesLearned}, redirects followed ${redirectsFollowed}, retries ${retries}`,
);
client.close();
