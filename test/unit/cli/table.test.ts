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

  it('keeps control characters of a peer away from the terminal', () => {
    expect(renderTable(COLUMNS, [['a\u001b[2J\nb', '1']])).to.equal('NAME      N\na [2J b   1\n');
  });
});
