import { Etcd3, type IKeyValue } from 'etcd3';
import type { Driver } from './driver.js';

/** A key goes through this often at most; with random uids hardly ever more than once. */
const TRIES_MAX = 20;

interface Known {
  readonly revision: number;
  readonly value: number;
}

/**
 * Compare-and-set of one key for each uid. Nobody else writes, so what this client saw last is what there is, and a number costs one
 * transaction: the best that etcd can do. Where two of its own calls meet on one uid, the second goes again with what etcd tells it.
 */
export function openEtcd({ address }: { readonly address: string }): Driver {
  const etcd = new Etcd3({ hosts: `http://${address}` });
  const known = new Map<number, Known>();
  const increment = async (uid: number): Promise<void> => {
    const key = `uid/${uid}`;
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const { revision, value } = known.get(uid) ?? { revision: 0, value: 0 };
      const { succeeded, header, responses } = await etcd
        .if(key, 'Mod', '==', revision)
        .then(etcd.put(key).value(value + 1))
        .else(etcd.get(key))
        .commit();
      if (succeeded) {
        known.set(uid, { revision: Number(header.revision), value: value + 1 });
        return;
      }
      const found = responses[0]?.response_range?.kvs[0];
      if (found !== undefined) known.set(uid, readingOf(found));
    }
    throw new Error(`${key} was not written in ${TRIES_MAX} tries`);
  };
  return { opsPerCall: 1, call: (draw) => increment(draw()), close: () => etcd.close() };
}

function readingOf({ mod_revision, value }: IKeyValue): Known {
  return { revision: Number(mod_revision), value: Number(value.toString()) };
}
