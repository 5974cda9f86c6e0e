import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { createLog, eventLogger, type LogLevel } from '../../../src/ops/log.js';

type Event = { readonly type: 'maxSeqRaised'; readonly maxSeq: bigint } | { readonly type: 'leaseRenewed'; readonly leftMs: number };

describe('log', () => {
  function logInto(level: LogLevel = 'info') {
    const lines: string[] = [];
    return { lines, log: createLog({ node: 'alloc-1', level, sink: { write: (line) => void lines.push(line) } }) };
  }

  it('writes one line for each event: level, time, node, component, event, its fields, and a sentence', () => {
    const { lines, log } = logInto();
    eventLogger<Event>(log.component('alloc'))({ type: 'maxSeqRaised', maxSeq: 5n });
    expect(lines).to.have.length(1);
    const { time, ...line } = JSON.parse(lines[0] ?? '');
    expect(time).to.match(/^\d{4}-\d\d-\d\dT/);
    expect(line).to.deep.equal({ level: 'info', node: 'alloc-1', component: 'alloc', event: 'maxSeqRaised', maxSeq: '5', msg: 'max seq raised' });
  });

  it('keeps every digit of a bigint, however deep', () => {
    const { lines, log } = logInto();
    log.write('info', 'x', { list: [{ seq: 2n ** 63n - 1n }] });
    expect(lines[0]).to.include('"list":[{"seq":"9223372036854775807"}]');
  });

  it('drops what is below its level, event type by event type', () => {
    const { lines, log } = logInto();
    const observe = eventLogger<Event>(log, { leaseRenewed: 'debug' });
    observe({ type: 'leaseRenewed', leftMs: 1 });
    observe({ type: 'maxSeqRaised', maxSeq: 1n });
    expect(lines.map((line) => JSON.parse(line).event)).to.deep.equal(['maxSeqRaised']);
  });

  it('tells code and cause of an expected error, and the stack of a bug', () => {
    const { lines, log } = logInto();
    log.write('warn', 'x', { error: new SeqError('TIMEOUT', 'late', { cause: new TypeError('why') }) });
    const { error } = JSON.parse(lines[0] ?? '');
    expect([error.code, error.message, error.stack]).to.deep.equal(['TIMEOUT', 'late', undefined]);
    expect(error.cause.stack).to.include('TypeError: why');
  });

  it('ends on a value that contains itself', () => {
    const { lines, log } = logInto();
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    log.write('info', 'x', { loop });
    expect(lines).to.have.length(1);
  });
});
