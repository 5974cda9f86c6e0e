import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemRandom as random } from '../../../src/base/random.js';
import { type KeyedCertificate, makeCa, makeLeaf } from '../../../src/cli/certificate.js';
import { followTls, LOOK_EVERY_MS } from '../../../src/cli/tls-files.js';
import type { Log } from '../../../src/ops/log.js';
import { VirtualClock } from '../virtual-clock.js';

const DAY_MS = 86_400_000;

describe('the certificate files of a node', () => {
  const folder = mkdtempSync(join(tmpdir(), 'seqsvr-files-'));
  after(() => rmSync(folder, { recursive: true }));
  const files = { ca: join(folder, 'ca'), cert: join(folder, 'crt'), key: join(folder, 'key') };

  let clock: VirtualClock;
  let said: string[];
  const log: Log = { write: (level, event) => void said.push(`${level} ${event}`), component: () => log };
  const made = (days: number): { readonly ca: KeyedCertificate; readonly own: KeyedCertificate } => {
    const validity = { fromMs: clock.wallMs() - DAY_MS, toMs: clock.wallMs() + days * DAY_MS };
    const ca = makeCa({ name: 'r', validity, random });
    return { ca, own: makeLeaf({ ca, principal: { role: 'alloc', name: 'a' }, hosts: [], isServer: true, validity, random }) };
  };
  const put = ({ ca, own }: ReturnType<typeof made>): void => {
    for (const [file, text] of [[files.ca, ca.cert] as const, [files.cert, own.cert] as const, [files.key, own.key] as const])
      writeFileSync(file, text);
  };

  beforeEach(() => {
    clock = new VirtualClock();
    said = [];
    put(made(100));
  });

  it('are taken over when they change, and only then', () => {
    const { identity, close } = followTls(files, { clock, log });
    const first = identity.context;
    clock.advance(LOOK_EVERY_MS);
    expect([said, identity.context]).to.deep.equal([[], first]);
    const next = made(100);
    put(next);
    clock.advance(LOOK_EVERY_MS);
    expect(said).to.deep.equal(['info certificateReplaced']);
    expect(identity.material.cert).to.equal(next.own.cert);
    expect(identity.context).to.not.equal(first);
    close();
  });

  it('change nothing while they are no good, which is said once, and are taken over when they are good again', () => {
    const { identity, close } = followTls(files, { clock, log });
    const first = identity.context;
    const next = made(100);
    writeFileSync(files.cert, next.own.cert);
    for (let look = 0; look < 3; look++) clock.advance(LOOK_EVERY_MS);
    expect([said, identity.context]).to.deep.equal([['error certificateRefused'], first]);
    put(next);
    clock.advance(LOOK_EVERY_MS);
    expect(said).to.deep.equal(['error certificateRefused', 'info certificateReplaced']);
    close();
  });

  it('warn when they end within two weeks', () => {
    put(made(13));
    followTls(files, { clock, log }).close();
    expect(said).to.deep.equal(['warn certificateEndsSoon']);
  });

  it('must be there and good to begin with', () => {
    writeFileSync(files.key, 'no key');
    expect(() => followTls(files, { clock, log })).to.throw('must be PEM and belong together');
    expect(() => followTls({ ...files, ca: join(folder, 'none') }, { clock, log })).to.throw('none');
  });
});
