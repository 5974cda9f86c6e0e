/** One fenced block of a document. */
export interface Block {
  /** The line of its fence, from 1. */
  readonly line: number;
  /** What follows the fence: sh, ts, text, ... */
  readonly language: string;
  readonly text: string;
  /** Why it is not run: what the comment `<!-- not run: REASON -->` in the line before says. Undefined: it is run. */
  readonly reason: string | undefined;
}

const NOT_RUN = /^<!-- not run: (.+) -->$/;

/** Every fenced block of a page. Throws for a fence that does not end. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let fence: { readonly line: number; readonly language: string; readonly reason: string | undefined; readonly from: number } | undefined;
  const lines = markdown.split('\n');
  for (const [at, line] of lines.entries()) {
    const mark = /^\s*```(.*)$/.exec(line);
    if (mark === null) continue;
    if (fence === undefined) {
      fence = { line: at + 1, language: (mark[1] ?? '').trim(), reason: NOT_RUN.exec(lines[at - 1] ?? '')?.[1], from: at + 1 };
      continue;
    }
    const { line: first, language, reason } = fence;
    blocks.push({ line: first, language, reason, text: lines.slice(fence.from, at).join('\n') });
    fence = undefined;
  }
  if (fence !== undefined) throw new Error(`the block of line ${fence.line} does not end`);
  return blocks;
}
