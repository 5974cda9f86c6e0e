import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument, YAMLParseError } from 'yaml';
import { messageOf } from '../base/errors.js';

/** What is wrong with a config file, and where to look. */
export interface ConfigProblem {
  readonly file: string;
  /** From 1. Undefined: it is the file as a whole. */
  readonly line: number | undefined;
  /** Dotted: `members.2.name`. '' is the whole file. */
  readonly key: string;
  /** The value and the rule. */
  readonly rule: string;
}

/** The keys and indexes from the top of a file down to a value. */
export type KeyPath = readonly (string | number)[];

/** `store.yaml:12: lease: must be 50ms to 10m, got 3h`: as compilers say it, so that editors find the line. */
export function formatProblem({ file, line, key, rule }: ConfigProblem): string {
  return [line === undefined ? file : `${file}:${line}`, ...(key === '' ? [] : [key]), rule].join(': ');
}

/** A config file as text with places: which line has which key. */
export class ConfigDocument {
  readonly #document: Document.Parsed;
  readonly #lines = new LineCounter();
  readonly #file: string;

  constructor(text: string, file: string) {
    this.#file = file;
    this.#document = parseDocument(text, { lineCounter: this.#lines });
  }

  /** What the file holds, or why it is not YAML. */
  read(): { readonly raw: unknown } | { readonly problem: ConfigProblem } {
    try {
      // What is only a warning to YAML, such as a tag that nobody knows, is a slip in a config file.
      const [wrong] = [...this.#document.errors, ...this.#document.warnings];
      if (wrong !== undefined) throw wrong;
      // Throws for an alias without its anchor, and for one that would grow out of all bounds.
      return { raw: this.#document.toJS() };
    } catch (cause) {
      const [firstLine] = messageOf(cause).split('\n');
      const line = cause instanceof YAMLParseError ? cause.linePos?.[0].line : undefined;
      return { problem: { file: this.#file, line, key: '', rule: `is not YAML: ${firstLine}` } };
    }
  }

  problem(path: KeyPath, rule: string): ConfigProblem {
    return { file: this.#file, line: this.lineOf(path), key: path.join('.'), rule };
  }

  /** The line of a key; of what should have it, when it is not there. Undefined: the file is empty. */
  lineOf(path: KeyPath): number | undefined {
    let node: unknown = this.#document.contents;
    let line = this.#lineAt(node);
    for (const step of path) {
      const at: Node | null | undefined = isAlias(node) ? node.resolve(this.#document) : isNode(node) ? node : undefined;
      const pair = isMap(at) ? at.items.find(({ key }) => (isScalar(key) ? key.value : key) === step) : undefined;
      const item = isSeq(at) ? at.items[Number(step)] : undefined;
      if (pair === undefined && item === undefined) break;
      line = this.#lineAt(pair?.key ?? item) ?? line;
      node = pair?.value ?? item;
    }
    return line;
  }

  /** True: the file has the key itself. */
  has(path: KeyPath): boolean {
    return this.#document.hasIn(path);
  }

  #lineAt(node: unknown): number | undefined {
    const offset = isNode(node) ? node.range?.[0] : undefined;
    return offset === undefined ? undefined : this.#lines.linePos(offset).line;
  }
}
