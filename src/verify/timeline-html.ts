import { type Fault, type Operation, operationToLine } from './operation.js';
import { type Bar, type TimelineWindow, windowOf } from './timeline-window.js';
import type { Violation } from './violation.js';

/** Violations that are drawn; all others are only counted. */
const DRAWN_MAX = 5;
const COLUMN_PX = 26;
const LANE_PX = 26;
const NAMES_PX = 120;
const HEAD_PX = 44;
/** A time is written above every so many columns. */
const TICK_EVERY = 4;

/**
 * A page that shows violations of a history in time: each with the operations of its uid around it, a lane for each client, its pair in red, and what was
 * done to the cluster behind them. One file of its own: it loads nothing.
 */
export function timelineHtml(options: {
  readonly title: string;
  readonly violations: readonly Violation[];
  readonly operations: readonly Operation[];
  readonly faults: readonly Fault[];
}): string {
  const { title, violations, operations, faults } = options;
  const drawn = violations.slice(0, DRAWN_MAX);
  const sections = drawn.map((violation, index) => section(violation, index + 1, windowOf(violation, operations, faults)));
  const more = violations.length > drawn.length ? `<p>and ${violations.length - drawn.length} more</p>` : '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<p>${violations.length} violations in ${operations.length} operations. Columns are moments in order, not to scale; only the uid of the violation is drawn, for no other can explain it.
Hover over a bar for its call and its outcome.</p>
<p class="key">${LEGEND}</p>
<ol>${drawn.map(({ kind, uid, why }, index) => `<li><a href="#v${index + 1}-operation">${escaped(`${kind}: uid ${uid}: ${why}`)}</a></li>`).join('')}</ol>
${more}
${sections.join('\n')}
<script>document.getElementById(location.hash.slice(1) || 'v1-operation')?.scrollIntoView({ block: 'center', inline: 'center' });</script>
</body>
</html>
`;
}

const STYLE = `
body{font:14px/1.4 system-ui,sans-serif;margin:1.5em;color:#1c2128;background:#fff}
.frame{overflow:auto;border:1px solid #d0d7de;max-height:80vh}
pre{background:#f6f8fa;padding:.6em;overflow:auto}
svg text{font:11px ui-monospace,monospace;fill:#1c2128}
.numbers{fill:#b6e3c6}.value{fill:#bcd9f7}.unknown{fill:#fde6a8;stroke-dasharray:3 2}.refused{fill:#e3e6ea}
rect.bar{stroke:#57606a;stroke-width:.7}
rect.operation,rect.earlier{stroke:#cf222e;stroke-width:3}
rect.operation{fill:#ffb3b0}rect.earlier{fill:#ffd8d6}
.fault{fill:#8250df;fill-opacity:.12}.lane{stroke:#eaeef2}.tick{fill:#6e7781}
.key span{padding:.1em .5em;margin-right:.5em;border:1px solid #57606a}`;

const LEGEND = (
  [
    ['#b6e3c6', 'next: numbers'],
    ['#bcd9f7', 'current, advance: a value'],
    ['#fde6a8', 'unknown: it may have happened later too'],
    ['#e3e6ea', 'refused: it did not happen'],
    ['#ffb3b0', 'the violation (red border: and what it contradicts)'],
    ['#e6dcfa', 'a fault'],
  ] as const
)
  .map(([colour, meaning]) => `<span style="background:${colour}">${meaning}</span>`)
  .join('');

function section({ kind, uid, why, earlier, operation }: Violation, number: number, window: TimelineWindow): string {
  const pair = [...(earlier === undefined ? [] : [earlier]), operation].map((one) => escaped(operationToLine(one))).join('\n');
  const jump = earlier === undefined ? '' : ` &middot; <a href="#v${number}-earlier">what it contradicts</a>`;
  const faults = window.bands.map(({ fault }) => `<li>${escaped(`${timesOf(fault.fromNs, fault.toNs)}: ${fault.fault}`)}</li>`).join('');
  return `<section id="v${number}">
<h2>${number}. ${escaped(`${kind}: uid ${uid}: ${why}`)}</h2>
<pre>${pair}</pre>
<p><a href="#v${number}-operation">the violation</a>${jump} &middot; ${window.bars.length} operations drawn, ${window.leftOutCount} further away left out</p>
<div class="frame">${drawing(number, window)}</div>
${faults === '' ? '' : `<ul>${faults}</ul>`}
</section>`;
}

function drawing(number: number, { bars, bands, columns, lanes }: TimelineWindow): string {
  const width = NAMES_PX + (columns.length + 1) * COLUMN_PX;
  const height = HEAD_PX + lanes.length * LANE_PX;
  const shades = bands.map(
    ({ fault, from, to }) =>
      `<g><title>${escaped(`${fault.fault}, ${timesOf(fault.fromNs, fault.toNs)}`)}</title>` +
      `<rect class="fault" x="${xOf(from)}" y="0" width="${(to - from + 1) * COLUMN_PX}" height="${height}"/>` +
      `<text x="${xOf(from) + 2}" y="12">${escaped(fault.fault.slice(0, NAME_MAX))}</text></g>`,
  );
  const names = lanes.map(
    (client, lane) =>
      `<line class="lane" x1="0" x2="${width}" y1="${yOf(lane)}" y2="${yOf(lane)}"/><text x="4" y="${yOf(lane) + LANE_PX - 9}">${escaped(client.slice(0, NAME_MAX))}</text>`,
  );
  const ticks = columns.flatMap((time, column) =>
    column % TICK_EVERY === 0 ? [`<text class="tick" x="${xOf(column)}" y="${HEAD_PX - 8}">${msOf(time)}</text>`] : [],
  );
  return `<svg width="${width}" height="${height}" role="img">${[...shades, ...names, ...ticks, ...bars.map((bar) => barOf(number, bar))].join('\n')}</svg>`;
}

const NAME_MAX = 40;

function barOf(number: number, { operation, lane, from, to, role }: Bar): string {
  const id = role === undefined ? '' : ` id="v${number}-${role}"`;
  const width = Math.max(1, to - from) * COLUMN_PX - 3;
  const label = labelOf(operation);
  const shown = label.length * CHARACTER_PX > width ? '' : `<text x="${xOf(from) + 4}" y="${yOf(lane) + LANE_PX - 9}">${escaped(label)}</text>`;
  return (
    `<g><title>${escaped(tooltipOf(operation))}</title>` +
    `<rect${id} class="bar ${operation.outcome.type} ${role ?? ''}" x="${xOf(from)}" y="${yOf(lane) + 3}" width="${width}" height="${LANE_PX - 6}" rx="3"/>${shown}</g>`
  );
}

const CHARACTER_PX = 7;

function labelOf({ call, outcome }: Operation): string {
  if (outcome.type === 'numbers') return outcome.first === outcome.last ? `${outcome.last}` : `${outcome.first}..${outcome.last}`;
  if (outcome.type === 'value') return `${call === 'advance' ? '^' : outcome.exact ? '=' : '<='}${outcome.seq}`;
  return outcome.type === 'unknown' ? '?' : 'x';
}

function tooltipOf(operation: Operation): string {
  const { id, client, call, uid, count, to, outcome, invokedNs, returnedNs } = operation;
  const asked = call === 'next' ? `next(${uid}, ${count})` : call === 'advance' ? `advance(${uid}, ${to})` : `current(${uid})`;
  return `#${id} ${client}: ${asked}\n${answerOf(outcome)}\n${timesOf(invokedNs, returnedNs)}`;
}

const ERROR_MAX = 300;

function answerOf(outcome: Operation['outcome']): string {
  if (outcome.type === 'numbers') return `numbers ${outcome.first}..${outcome.last}`;
  if (outcome.type === 'value') return `value ${outcome.seq}, exact: ${outcome.exact}`;
  return `${outcome.type}: ${outcome.error.slice(0, ERROR_MAX)}`;
}

function timesOf(fromNs: number, toNs: number | undefined): string {
  return toNs === undefined ? `at ${msOf(fromNs)}` : `${msOf(fromNs)} to ${msOf(toNs)}`;
}

function msOf(timeNs: number): string {
  return `${(timeNs / 1e6).toFixed(3)} ms`;
}

function xOf(column: number): number {
  return NAMES_PX + column * COLUMN_PX;
}

function yOf(lane: number): number {
  return HEAD_PX + lane * LANE_PX;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Names and errors come from whoever wrote the file: none of it is markup. */
function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
