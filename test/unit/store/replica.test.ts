import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { encodeCommand } from '../../../src/store/command-codec.js';
import { DamageError } from '../../../src/store/damage.js';
import { confChangeOf } from '../../../src/store/membership-change.js';
import { type AppliedEntry, Replica } from '../../../src/store/replica.js';
import { dump, INIT, MOTIVE, raiseOf, releaseOf, run, TestReplica } from './fixture.js';

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

  it('stops at an entry that a newer version wrote, and holds what it held: it neither skips it nor goes on', () => {
    const { replica } = TestReplica.with(A);
    const before = { hash: replica.hash, state: dump(replica.state) };
    // Field 99 of the command, as a later version may have it.
    const entry = { index: 900, term: 1, type: 'normal' as const, data: Uint8Array.from([0x9a, 0x06, 0x00]) };
    expect(() => replica.apply(entry)).to.throw(SeqError, 'upgrade this node');
    expect({ hash: replica.hash, state: dump(replica.state) }).to.deep.equal(before);
    expect(replica.takeWrites().some(({ key }) => key === 'hash' && replica.hash !== before.hash)).to.equal(false);
  });

  it('has another hash after another command, another order, another past, another index or another term', () => {
    const hashes = [
      [1, 1],
      [2, 1],
      [1, 2],
    ].map(([index, term]) => {
      const replica = new Replica(new Map(), () => undefined);
      replica.apply({ index: index!, term: term!, type: 'normal' as const, data: encodeCommand(INIT) });
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
    replica.apply({ index: 1, term: 1, type: 'normal' as const, data: encodeCommand(INIT) });
    replica.apply({ index: 2, term: 1, type: 'normal' as const, data: encodeCommand({ type: 'register', ...A, address: 'h:1', zone: '' }) });
    expect(replica.takeWrites().map(({ key }) => key)).to.have.members(['cluster', 'hash', 'alloc/a1']);
    expect(replica.takeWrites()).to.deep.equal([]);
  });

  it('tells each command and what became of it', () => {
    const told: AppliedEntry[] = [];
    const replica = new Replica(new Map(), (applied) => told.push(applied));
    replica.apply({ index: 1, term: 1, type: 'normal' as const, data: encodeCommand(INIT) });
    replica.apply({ index: 2, term: 1, type: 'normal' as const, data: encodeCommand(INIT) });
    expect(told.map((applied) => applied.type === 'command' && [applied.command.type, applied.result.type])).to.deep.equal([
      ['init', 'done'],
      ['init', 'refused'],
    ]);
  });

  it('throws at an entry that it cannot read, and changes nothing: the node must halt', () => {
    const store = TestReplica.with(A);
    const { hash } = store.replica;
    expect(() => store.replica.apply({ index: 9, term: 1, type: 'normal' as const, data: Uint8Array.from([0xc2, 0x3e, 0x02, 0x08, 0x01]) })).to.throw(
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

  describe('a snapshot', () => {
    it('gives another replica the same state, the same hash and the same future', () => {
      const one = TestReplica.with(A);
      one.assign(A, 0, 3);
      const other = new TestReplica();
      const records = other.replica.parseSnapshot(one.replica.snapshot());
      expect(records).not.to.equal(undefined);
      other.replica.restore(records!);
      expect(dump(other.state)).to.deep.equal(dump(one.state));
      expect(other.replica.hash).to.equal(one.replica.hash);
      const entry = { index: 900, term: 1, type: 'normal' as const, data: encodeCommand({ type: 'drain', ...A, ...MOTIVE }) };
      for (const each of [one, other]) each.replica.apply(entry);
      expect(other.replica.hash).to.equal(one.replica.hash);
    });

    it('is not believed when a byte of it is missing or it is none', () => {
      const { replica } = TestReplica.with(A);
      const bytes = replica.snapshot();
      for (let length = 1; length < bytes.length; length += 1)
        expect(replica.parseSnapshot(bytes.subarray(0, length)), `${length} bytes`).to.equal(undefined);
      expect(replica.parseSnapshot(Uint8Array.from([255, 255, 255]))).to.equal(undefined);
    });
  });

  describe('a change of the members', () => {
    const founder = { id: 1, name: 's1', nodeUuid: '1'.repeat(32), peerAddress: 's1:1', address: 's1:2' };
    const joiner = { id: 70_000, name: 's4', nodeUuid: '4'.repeat(32), peerAddress: 's4:1', address: 's4:2' };
    let index: number;
    let store: TestReplica;

    beforeEach(() => {
      index = 100;
      store = new TestReplica();
      store.run({ ...INIT, members: [founder] });
    });

    function change(...args: Parameters<typeof confChangeOf>) {
      const entry = { index: ++index, term: 1, type: 'confChange' as const, data: new Uint8Array() };
      return store.replica.applyConfChange(entry, confChangeOf(...args));
    }

    it('brings a learner, makes it a voter and takes it away, and never takes it back', () => {
      const add = { type: 'add', member: joiner, wantsVote: true, replacesId: undefined } as const;
      expect(change(add).isAccepted).to.equal(true);
      expect(store.state.member(70_000)).to.include({ name: 's4', wantsVote: true });
      expect(change({ type: 'promote', id: 70_000 }).isAccepted).to.equal(true);
      expect(store.state.member(70_000)?.wantsVote).to.equal(false);
      expect(change({ type: 'remove', id: 70_000 }).isAccepted).to.equal(true);
      expect(store.state.member(70_000)).to.equal(undefined);
      expect(store.state.removed).to.deep.equal([{ id: 70_000, nodeUuid: joiner.nodeUuid }]);
      expect(change(add)).to.deep.include({ isAccepted: false });
    });

    it('keeps who is replaced until the joint configuration is left', () => {
      change({ type: 'add', member: { ...joiner, name: 's1' }, wantsVote: true, replacesId: 1 });
      change({ type: 'replace', id: 70_000, oldId: 1 });
      expect(store.state.members.map(({ id, isLeaving }) => [id, isLeaving])).to.deep.equal([
        [1, true],
        [70_000, false],
      ]);
      const leave = { transition: 'auto', steps: [], context: new Uint8Array() } as const;
      store.replica.applyConfChange({ index: ++index, term: 1, type: 'confChange', data: new Uint8Array() }, leave);
      expect(store.state.members.map(({ id }) => id)).to.deep.equal([70_000]);
    });

    for (const [what, member] of [
      ['id', { ...joiner, id: 1 }],
      ['name', { ...joiner, name: 's1' }],
      ['data directory', { ...joiner, nodeUuid: founder.nodeUuid }],
      ['address', { ...joiner, peerAddress: 's1:1' }],
    ] as const) {
      it(`is refused for a ${what} that a member has, and changes nothing`, () => {
        const before = dump(store.state);
        expect(change({ type: 'add', member, wantsVote: true, replacesId: undefined }).isAccepted).to.equal(false);
        expect(dump(store.state)).to.deep.equal(before);
      });
    }

    it('survives a restart from its records', () => {
      change({ type: 'add', member: joiner, wantsVote: true, replacesId: undefined });
      for (const { key, value } of store.replica.takeWrites()) store.disk.set(key, value!);
      const { members, hash } = { members: store.state.members, hash: store.replica.hash };
      store.restart();
      expect([store.state.members, store.replica.hash]).to.deep.equal([members, hash]);
    });
  });
});
