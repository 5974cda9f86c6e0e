import { expect } from 'chai';
import { type ErrorCode, SeqError, type SeqErrorOptions } from '../../../src/base/errors.js';
import { Course, HOPS_MAX, Trouble } from '../../../src/client/retry.js';
import { SeededRandom } from '../seeded-random.js';

const RETRY = { maxAttempts: 32, baseMs: 10, maxMs: 500 };
const PLENTY_MS = 60_000;

describe('client/retry', () => {
  describe('Course', () => {
    it('waits between 0 and a ceiling that doubles up to maxMs', () => {
      const highest = Array.from({ length: 12 }, () => 0);
      for (let seed = 0; seed < 200; seed++) {
        const course = courseOf(RETRY, seed);
        for (let index = 0; index < highest.length; index++) {
          const step = course.after(error('UNAVAILABLE'), PLENTY_MS);
          if (step.type !== 'wait') throw new Error(step.type);
          expect(step.waitMs).to.be.within(0, Math.min(500, 10 * 2 ** index));
          highest[index] = Math.max(highest[index]!, step.waitMs);
        }
      }
      expect(highest[0]).to.be.above(8);
      expect(highest[11]).to.be.above(400);
    });

    it('gives up after maxAttempts tries', () => {
      const course = courseOf({ ...RETRY, maxAttempts: 3 });
      expect(typesOf(course, error('UNAVAILABLE'), 3)).to.deep.equal(['wait', 'wait', 'giveUp']);
    });

    for (const code of ['INVALID_ARGUMENT', 'OUT_OF_RANGE', 'UNAUTHENTICATED', 'PERMISSION_DENIED', 'PROTOCOL', 'CLOSED'] as const) {
      it(`does not retry ${code}`, () => {
        expect(courseOf(RETRY).after(error(code), PLENTY_MS).type).to.equal('giveUp');
      });
    }

    it('follows a redirect at once, but not for ever', () => {
      const moved = error('NOT_OWNER', { endpoint: 'a:1', redirect: { id: 'b', address: 'b:1' } });
      const course = courseOf(RETRY);
      expect(course.after(moved, PLENTY_MS)).to.deep.equal({ type: 'follow', address: 'b:1' });
      expect(typesOf(course, moved, HOPS_MAX + 1)).to.deep.equal([...Array.from({ length: HOPS_MAX - 1 }, () => 'follow'), 'wait', 'follow']);
    });

    it('ends a ping-pong after maxAttempts rounds', () => {
      const moved = error('NOT_OWNER', { endpoint: 'a:1', redirect: { id: 'b', address: 'b:1' } });
      const course = courseOf({ ...RETRY, maxAttempts: 4 });
      const types = typesOf(course, moved, 4 * (HOPS_MAX + 1));
      expect(types.filter((type) => type === 'wait')).to.have.length(3);
      expect(types.at(-1)).to.equal('giveUp');
    });

    it('does not follow a node that redirects to itself', () => {
      const moved = error('NOT_OWNER', { endpoint: 'a:1', redirect: { id: 'a', address: 'a:1' } });
      expect(courseOf(RETRY).after(moved, PLENTY_MS).type).to.equal('wait');
    });

    it('waits at least as long as the server advised', () => {
      const step = courseOf(RETRY).after(error('RESOURCE_EXHAUSTED', { retryAfterMs: 900 }), PLENTY_MS);
      expect(step).to.deep.equal({ type: 'wait', waitMs: 900, refresh: false });
    });

    it('gives up at once when the advised wait is longer than the budget left', () => {
      expect(courseOf(RETRY).after(error('RESOURCE_EXHAUSTED', { retryAfterMs: 900 }), 900).type).to.equal('giveUp');
    });

    it('asks for the route after every failure that may come from a stale one', () => {
      for (const code of ['UNAVAILABLE', 'TIMEOUT', 'NOT_OWNER'] as const) {
        expect(courseOf(RETRY).after(error(code), PLENTY_MS)).to.include({ type: 'wait', refresh: true });
      }
    });
  });

  describe('Trouble', () => {
    it('is definite only if every attempt was', () => {
      const trouble = new Trouble();
      trouble.note(error('UNAVAILABLE', { definite: true, attempts: 1 }), false);
      expect(trouble.gaveUp(error('UNAVAILABLE')).definite).to.equal(true);
      trouble.note(error('TIMEOUT', { attempts: 1 }), false);
      trouble.note(error('INVALID_ARGUMENT', { attempts: 1 }), false);
      const shown = trouble.gaveUp(error('INVALID_ARGUMENT'));
      expect(shown).to.include({ code: 'INVALID_ARGUMENT', definite: false, maybeAllocated: true, attempts: 3 });
    });

    it('is definite when nothing was sent', () => {
      expect(new Trouble().stopped(error('TIMEOUT'))).to.include({ code: 'TIMEOUT', definite: true, attempts: 0 });
    });

    it('shows NOT_OWNER as UNAVAILABLE, as the error and as the cause', () => {
      const moved = error('NOT_OWNER', { attempts: 1, endpoint: 'a:1' });
      const trouble = new Trouble();
      trouble.note(moved, false);
      expect(trouble.gaveUp(moved)).to.include({ code: 'UNAVAILABLE', endpoint: 'a:1', definite: true });
      const stopped = trouble.stopped(error('TIMEOUT'));
      expect(stopped.cause).to.include({ code: 'UNAVAILABLE' });
      expect(stopped.message).to.not.include('NOT_OWNER');
    });

    it('names the last real failure as the cause, not the echo of its own end', () => {
      const trouble = new Trouble();
      const refused = error('UNAVAILABLE', { attempts: 1, definite: true, endpoint: 'a:1' });
      trouble.note(refused, false);
      trouble.note(error('ABORTED', { attempts: 1, definite: false }), true);
      const stopped = trouble.stopped(error('TIMEOUT'));
      expect(stopped.cause).to.equal(refused);
      expect(stopped).to.include({ definite: false, attempts: 2, endpoint: 'a:1' });
    });

    it('keeps the reason of an abort as its cause', () => {
      const reason = new Error('the user left');
      const trouble = new Trouble();
      trouble.note(error('UNAVAILABLE', { attempts: 1 }), false);
      expect(trouble.stopped(error('ABORTED', { cause: reason })).cause).to.equal(reason);
    });
  });
});

function courseOf(retry: typeof RETRY, seed = 1): Course {
  return new Course({ retry, random: new SeededRandom(seed) });
}

function typesOf(course: Course, failure: SeqError, count: number): string[] {
  return Array.from({ length: count }, () => course.after(failure, PLENTY_MS).type);
}

function error(code: ErrorCode, options: SeqErrorOptions = {}): SeqError {
  return new SeqError(code, `it was ${code === 'NOT_OWNER' ? 'moved' : code}`, options);
}
