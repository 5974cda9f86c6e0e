import type { Spread } from '../figures.js';

export function showNumber(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toLocaleString('en', { minimumFractionDigits: 0, maximumFractionDigits: digits }) : '-';
}

/** With all its digits, for columns. */
export function showFixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }) : '-';
}

/** The median, and how far the rounds lie apart: 1.20 [1.10..1.31]. */
export function showSpread(spread: Spread | undefined, digits: number): string {
  if (spread === undefined) return '-';
  const { median, min, max } = spread;
  return min === max ? showFixed(median, digits) : `${showFixed(median, digits)} [${showFixed(min, digits)}..${showFixed(max, digits)}]`;
}

/** Columns of equal width: the first `leftCount` begin on the left, the others end on the right. */
export function aligned(rows: readonly (readonly string[])[], leftCount: number): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((text, column) => (column < leftCount ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
