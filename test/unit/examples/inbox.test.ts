import { expect } from 'chai';
import { Delivery, Device, findProblems, Inbox } from '../../../examples/inbox-sync/inbox.js';

describe('examples/inbox-sync', () => {
  describe('Inbox', () => {
    it('returns exactly what lies above the number that a device has, whatever the gaps', () => {
      const inbox = inboxOf(3n, 4n, 10_001n);
      for (const { seq, missed } of [
        { seq: 0n, missed: [3n, 4n, 10_001n] },
        { seq: 3n, missed: [4n, 10_001n] },
        { seq: 5n, missed: [10_001n] },
        { seq: 10_001n, missed: [] },
      ]) {
        expect(inbox.after(seq, 10).map((message) => message.seq)).to.deep.equal(missed);
      }
      expect(inbox.after(0n, 2).map((message) => message.seq)).to.deep.equal([3n, 4n]);
    });

    it('refuses a message below the last one: a device would never see it', () => {
      expect(() => inboxOf(102n, 101n)).to.throw(/after every message with a smaller seq/);
      expect(() => inboxOf(7n, 7n)).to.throw();
    });
  });

  describe('Delivery', () => {
    it('takes a number only after the message before it is stored, so that none lands behind a device', async () => {
      const inbox = new Inbox();
      const answers: ((seq: bigint) => void)[] = [];
      const delivery = new Delivery({ inbox, next: () => new Promise((resolve) => void answers.push(resolve)) });
      const sends = [delivery.send('one'), delivery.send('two')];
      await turn();
      expect(answers).to.have.length(1);
      answers[0]?.(101n);
      await turn();
      expect(inbox.lastSeq).to.equal(101n);
      answers[1]?.(102n);
      await Promise.all(sends);
      expect(inbox.messages).to.deep.equal([
        { seq: 101n, text: 'one' },
        { seq: 102n, text: 'two' },
      ]);
    });

    it('goes on after a send that failed, and its number is a gap', async () => {
      const inbox = new Inbox();
      let seq = 0n;
      const next = async (): Promise<bigint> => {
        if (++seq === 2n) throw new Error('the reply was lost');
        return seq;
      };
      const delivery = new Delivery({ inbox, next });
      const outcomes = await Promise.allSettled(['one', 'two', 'three'].map((text) => delivery.send(text)));
      expect(outcomes.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected', 'fulfilled']);
      expect(inbox.messages.map((message) => message.seq)).to.deep.equal([1n, 3n]);
    });
  });

  describe('Device', () => {
    it('holds every message once, in order, however it syncs', () => {
      const inbox = new Inbox();
      const often = new Device('often');
      const seldom = new Device('seldom');
      const sent: string[] = [];
      for (let index = 1; index <= 100; index++) {
        inbox.append({ seq: BigInt(index * 3), text: `text ${index}` });
        sent.push(`text ${index}`);
        expect(often.sync(inbox, 7)).to.equal(1);
      }
      expect(seldom.sync(inbox, 7)).to.equal(100);
      expect(seldom.sync(inbox, 7)).to.equal(0);
      expect([...findProblems(often, sent), ...findProblems(seldom, sent)]).to.deep.equal([]);
    });
  });

  describe('findProblems', () => {
    const sent = ['one', 'two'];
    for (const { title, seqs, texts, problem } of [
      { title: 'a missing message', seqs: [1n], texts: ['one'], problem: /holds 1 messages, 2 were sent/ },
      { title: 'a message too many', seqs: [1n, 2n, 3n], texts: ['one', 'two', 'two'], problem: /holds 3 messages/ },
      { title: 'messages in the wrong order', seqs: [1n, 2n], texts: ['two', 'one'], problem: /'two' in place 0, 'one' was sent/ },
    ]) {
      it(`finds ${title}`, () => {
        const inbox = new Inbox();
        for (const [index, seq] of seqs.entries()) inbox.append({ seq, text: texts[index] ?? '' });
        const device = new Device('phone');
        device.sync(inbox, 10);
        expect(findProblems(device, sent).join('\n')).to.match(problem);
      });
    }
  });
});

function inboxOf(...seqs: bigint[]): Inbox {
  const inbox = new Inbox();
  for (const seq of seqs) inbox.append({ seq, text: `text ${seq}` });
  return inbox;
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
