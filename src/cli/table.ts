import type { Format } from './output.js';

/** Between columns: kubectl's three spaces, so that a value with a space in it still reads as one. */
const GAP = '   ';

/** One column: what stands above it, and the text of its cell in each row. '' shows as '-'. */
export interface Column<Row> {
  readonly title: string;
  /** Only shown with `-o wide`. */
  readonly isWide?: boolean;
  cell(row: Row): string;
}

/** Rows under titles, without borders, each line without trailing spaces and ended by a newline. */
export function renderTable<Row>(all: readonly Column<Row>[], rows: readonly Row[], format: Format = 'table'): string {
  const columns = all.filter(({ isWide }) => isWide !== true || format === 'wide');
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => columns.map((column) => shown(column.cell(row))))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines.map((line) => `${renderLine(line, widths)}\n`).join('');
}

function renderLine(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, index) => cell.padEnd(widths[index] ?? 0))
    .join(GAP)
    .trimEnd();
}

/** A cell is one line of text: control characters of a hostile or broken peer do not reach the terminal. */
function shown(text: string): string {
  const clean = text.replaceAll(/\p{Cc}+/gu, ' ').trim();
  return clean === '' ? '-' : clean;
}
