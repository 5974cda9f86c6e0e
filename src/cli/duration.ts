import { SeqError, show } from '../base/errors.js';

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * '1.5s' -> 1500. Units: ms, s, m, h. A bare number is refused: whoever reads it must see the unit.
 * Throws INVALID_ARGUMENT unless it is a whole number of milliseconds.
 */
export function parseDurationMs(value: unknown): number {
  const match = typeof value === 'string' ? /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h)$/.exec(value) : null;
  const ms = Number(match?.[1]) * (UNITS_MS[match?.[2] ?? ''] ?? Number.NaN);
  // Decimal fractions are not exact in binary: 1.1 x 1000 may miss 1100 by a hair.
  const rounded = Math.round(ms);
  if (!Number.isSafeInteger(rounded) || Math.abs(ms - rounded) > 1e-6) {
    throw new SeqError('INVALID_ARGUMENT', `a duration is a number with a unit, such as '500ms', '2s' or '5m', got ${show(value)}`);
  }
  return rounded;
}

/** 1500 -> '1500ms', 2000 -> '2s': text that parseDurationMs reads back as the same number. */
export function formatDuration(ms: number): string {
  for (const unit of ['h', 'm', 's']) {
    const size = UNITS_MS[unit] ?? 1;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

/** A length of time for people: '42s', '5m12s', '3h20m', '9d4h'. Rounds down. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return `${days}d${hours % 24}h`;
  if (hours > 0) return `${hours}h${minutes % 60}m`;
  if (minutes > 0) return `${minutes}m${seconds % 60}s`;
  return `${seconds}s`;
}
