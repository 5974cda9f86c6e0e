import { checkHistory } from '../../../src/verify/check-history.js';
import { parseHistory } from '../../../src/verify/history-file.js';
import { operationToLine } from '../../../src/verify/operation.js';
import { timelineHtml } from '../../../src/verify/timeline-html.js';
import { showViolations } from '../../../src/verify/violation.js';
import { playedHistory, randomHistory } from '../../unit/verify/histories.js';
import { mustHold, outcomeOf, type Target } from '../target.js';

const WORDS = [
  '"type":"unknown"',
  '"exact":false',
  '"9223372036854775807"',
  '"call":"advance"',
  '"to":"5"',
  '{"fault":"<b>","fromNs":1}',
  'null',
  '-1',
  '1e999',
];

export const history: Target = {
  name: 'history',
  about: 'recorded histories, read, judged and drawn (verify/history-file.ts, check-history.ts, timeline-html.ts)',
  shape: { parts: 'one', payload: 'text', words: WORDS },
  generate(random) {
    const operations = random.chance(0.5) ? randomHistory(random) : playedHistory(random);
    const lines = operations.map(operationToLine);
    if (random.chance(0.2)) lines.push(operationToLine({ fault: 'kill', fromNs: 3 }));
    return Buffer.from(lines.join('\n'));
  },
  feed: (input) =>
    outcomeOf(() => {
      const { operations, faults } = parseHistory(Buffer.from(input).toString(), 'h');
      const again = parseHistory([...operations, ...faults].map(operationToLine).join('\n'), 'h');
      mustHold(lines(again) === lines({ operations, faults }), 'a history that was read is written as it was');
      const { isValid, violations } = checkHistory(operations);
      mustHold(isValid === (violations.length === 0), 'a history is valid if nothing violates it');
      mustHold(checkHistory(operations.toReversed()).isValid === isValid, 'the order of the lines is no part of a history');
      showViolations(violations);
      // What somebody wrote into a file is shown, and never becomes a part of the page.
      const page = timelineHtml({ title: 'h', violations, operations, faults });
      mustHold(!page.includes('<b>'), 'a page shows what is in the file as text');
      return `ok ${isValid ? 'valid' : [...new Set(violations.map(({ kind }) => kind))].sort().join(' ')}`;
    }),
};

function lines({ operations, faults }: Pick<ReturnType<typeof parseHistory>, 'operations' | 'faults'>): string {
  return [...operations, ...faults].map(operationToLine).join('\n');
}
