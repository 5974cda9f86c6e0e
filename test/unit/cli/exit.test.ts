import { expect } from 'chai';
import { InvariantError } from '../../../src/base/assert.js';
import { SeqError } from '../../../src/base/errors.js';
import { EXIT, exitCodeOf, explain, RefusedError } from '../../../src/cli/exit.js';
import { DamageError } from '../../../src/store/damage.js';

describe('exit', () => {
  const rows = [
    ['INVALID_ARGUMENT', EXIT.usage],
    ['UNAVAILABLE', EXIT.unreachable],
    ['TIMEOUT', EXIT.unreachable],
    ['UNAUTHENTICATED', EXIT.denied],
    ['PERMISSION_DENIED', EXIT.denied],
    ['ABORTED', EXIT.interrupted],
    ['OUT_OF_RANGE', EXIT.failed],
    ['WOULD_LOSE_QUORUM', EXIT.unsafe],
  ] as const;
  for (const [code, exit] of rows) it(`ends with ${exit} after ${code}`, () => expect(exitCodeOf(new SeqError(code, 'x'))).to.equal(exit));
  it('ends with 5 when it was refused for safety', () => expect(exitCodeOf(new RefusedError('x'))).to.equal(5));
  it('ends with 1 after a bug', () => expect(exitCodeOf(new InvariantError('x'))).to.equal(1));

  it('says what, why and what to do', () => {
    expect(explain(new SeqError('UNAVAILABLE', 'nobody at 127.0.0.1:7070', { definite: true }), { debug: false }).split('\n')).to.deep.equal([
      'error UNAVAILABLE: nobody at 127.0.0.1:7070',
      "is the cluster running? 'npm start' starts one here; --endpoints names another; 'seqctl cluster status' shows its health",
    ]);
  });

  it('asks whether the cluster runs when the time ended because nobody listens, however deep that is', () => {
    const refused = new SeqError('UNAVAILABLE', '127.0.0.1:7070: connect ECONNREFUSED 127.0.0.1:7070');
    for (const cause of [refused, new Error('between', { cause: refused })]) {
      const text = explain(new SeqError('TIMEOUT', 'x', { cause, definite: true }), { debug: false });
      expect(text).to.include('is the cluster running?').and.not.to.include('--timeout');
    }
    const busy = new SeqError('UNAVAILABLE', 'no lease');
    expect(explain(new SeqError('TIMEOUT', 'x', { cause: busy }), { debug: false })).to.include('longer --timeout');
  });

  it('shows a stack trace, with its causes, only to whoever asked for it', () => {
    const error = new SeqError('PROTOCOL', 'outer', { cause: new Error('inner') });
    expect(explain(error, { debug: false })).not.to.include('    at ');
    expect(explain(error, { debug: true }))
      .to.include('    at ')
      .and.to.include('caused by Error: inner');
  });

  it('calls damage by its name, and not a bug', () => {
    expect(explain(new DamageError('the log has a hole'), { debug: false }).split('\n')).to.deep.equal([
      'error DamageError: the log has a hole',
      'keep a copy of the data directory; OPERATIONS.md says how the node comes back',
    ]);
    expect(exitCodeOf(new DamageError('x'))).to.equal(EXIT.failed);
  });

  it('says of a change whose answer was lost where to look, and nothing of numbers', () => {
    const text = explain(new SeqError('TIMEOUT', 'x'), { debug: false, changes: 'look there' });
    expect(text).to.include('look there').and.not.to.include('a gap');
  });

  it('says when a number may have been lost', () => {
    expect(explain(new SeqError('TIMEOUT', 'x'), { debug: false })).to.include('a gap, never a repeat');
    expect(explain(new SeqError('TIMEOUT', 'x', { definite: true }), { debug: false })).not.to.include('a gap');
  });
});
