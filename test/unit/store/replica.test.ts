import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { encodeCommand } from '../../../src/store/command.js';
import { DamageError } from '../../../src/store/damage.js';
import { type AppliedCommand, Replica } from '../../../src/store/replica.js';
import { INIT, raiseOf, releaseOf, run, TestReplica } from './fixture.js';

const A = run('a1');

describe('replica', () => {
  it('has equal hashes at equal indexes, and no hash before the first command', () => {
    const [one, other] = [new TestReplica(), new TestReplica()];
    expect(one.replica.hash).to.equal('');
    const seen = new Set(['']);
    for (const command of [INIT, { type: 'register', ...A, address: 'h:1', zone: '' } as const, INIT]) {
      one.run(command);
      other.run(command);
      expect(one.replica.hash).to.equal(other.replica.hash);
      expect(seen.has(one.replica.hash), 'a refused command is an entry too').to.equal(false);
      seen.add(one.replica.hash);
    }
  });

  it('has another hash after another command, another order, another past, another index or another term', () => {
    const hashes = [
      [1, 1],
      [2, 1],
      [1, 2],
    ].map(([index, term]) => {
      const replica = new Replica(new Map(), () => undefined);
      replica.apply({ index: index!, term: term!, data: encodeCommand(INIT) });
      return replica.hash;
    });
    const stores = [
      [100n, 200n],
      [200n, 100n],
      [100n, 300n],
      [200n, 300n],
    ].map((tos) => {
      const store = TestReplica.with(A);
      store.assign(A, 0);
      for (const to of tos) store.raise(A, raiseOf(0, 1, to));
      return store.replica.hash;
    });
    expect(new Set([...hashes, ...stores]).size).to.equal(7);
  });

  it('goes on from its records with the hash it had', () => {
    const store = TestReplica.with(A);
    store.assign(A, 0, 70);
    const { hash } = store.replica;
    store.restart();
    expect(store.replica.hash).to.equal(hash);
    const twin = TestReplica.with(A);
    twin.assign(A, 0, 70);
    for (const each of [store, twin]) each.release(A, releaseOf(0, 1, 5n, 3));
    expect(store.replica.hash).to.equal(twin.replica.hash);
  });

  it('hands each write out once, whatever was applied since', () => {
    const replica = new Replica(new Map(), () => undefined);
    replica.apply({ index: 1, term: 1, data: encodeCommand(INIT) });
    replica.apply({ index: 2, term: 1, data: encodeCommand({ type: 'register', ...A, address: 'h:1', zone: '' }) });
    expect(replica.takeWrites().map(({ key }) => key)).to.have.members(['cluster', 'hash', 'alloc/a1']);
    expect(replica.takeWrites()).to.deep.equal([]);
  });

  it('tells each command and what became of it', () => {
    const told: AppliedCommand[] = [];
    const replica = new Replica(new Map(), (applied) => told.push(applied));
    replica.apply({ index: 1, term: 1, data: encodeCommand(INIT) });
    replica.apply({ index: 2, term: 1, data: encodeCommand(INIT) });
    expect(told.map(({ command, result }) => [command.type, result.type])).to.deep.equal([
      ['init', 'done'],
      ['init', 'refused'],
    ]);
  });

  it('throws at an entry that it cannot read, and changes nothing: the node must halt', () => {
    const store = TestReplica.with(A);
    const { hash } = store.replica;
    expect(() => store.replica.apply({ index: 9, term: 1, data: Uint8Array.from([0xc2, 0x3e, 0x02, 0x08, 0x01]) })).to.throw(
      SeqError,
      'does not know',
    );
    expect([store.replica.hash, store.replica.takeWrites()]).to.deep.equal([hash, []]);
  });

  it('does not believe records without their hash, nor a broken record', () => {
    const store = TestReplica.with(A);
    store.disk.delete('hash');
    expect(() => store.restart()).to.throw(DamageError, 'lost its hash');
  });
});
