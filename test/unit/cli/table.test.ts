import { expect } from 'chai';
import { renderTable } from '../../../src/cli/table.js';

const COLUMNS = [
  { title: 'NAME', cell: (row: readonly string[]) => row[0] ?? '' },
  { title: 'N', cell: (row: readonly string[]) => row[1] ?? '' },
];

describe('table', () => {
  it('lines columns up without borders and without trailing spaces', () => {
    expect(renderTable(COLUMNS, [['store-1', '5'], ['a']])).to.equal('NAME      N\nstore-1   5\na         -\n');
  });

  it('has its titles also when there are no rows', () => {
    expect(renderTable(COLUMNS, [])).to.equal('NAME   N\n');
  });

  it('shows some columns only when it may be wide', () => {
    const columns = [...COLUMNS, { title: 'WHY', isWide: true, cell: (row: readonly string[]) => row[2] ?? '' }];
    expect(renderTable(columns, [['a', '1', 'x']])).to.equal('NAME   N\na      1\n');
    expect(renderTable(columns, [['a', '1', 'x']], 'wide')).to.equal('NAME   N   WHY\na      1   x\n');
  });

  it('keeps control characters of a peer away from the terminal', () => {
    expect(renderTable(COLUMNS, [['a\u001b[2J\nb', '1']])).to.equal('NAME      N\na [2J b   1\n');
  });
});
