import { type Argument, type Block, ScriptError } from './data-file.js';

/** The arguments of one command, checked: what a command does not know is refused by name. */
export class Args {
  readonly inOrder: readonly Argument[];
  readonly #command: string;

  constructor({ command, args, input }: Block, allows: { readonly options?: readonly string[]; readonly input?: boolean } = {}) {
    for (const { key, isOption } of args) {
      if (isOption && allows.options?.includes(key) !== true) throw new ScriptError(`unknown option "${key}" of ${command}`);
    }
    if (input !== '' && allows.input !== true) throw new ScriptError(`${command} takes no input, got "${input}"`);
    this.inOrder = args;
    this.#command = command;
  }

  /** Arguments without `=`. */
  get plain(): readonly string[] {
    return this.inOrder.flatMap(({ key, isOption }) => (isOption ? [] : [key]));
  }

  /** Exactly that many of them. */
  exactly(count: number): readonly string[] {
    const { plain } = this;
    if (plain.length !== count) throw new ScriptError(`${this.#command} takes ${count} plain arguments, got ${plain.length}`);
    return plain;
  }

  numbers(): readonly number[] {
    return this.plain.map(parseNumber);
  }

  /** The values of an option in the order given, repeats together; empty when it is not there. */
  values(option: string): readonly string[] {
    return this.inOrder.flatMap(({ key, values, isOption }) => (isOption && key === option ? values : []));
  }

  /** The last value counts. */
  value(option: string): string | undefined {
    return this.values(option).at(-1);
  }

  number(option: string): number | undefined {
    const value = this.value(option);
    return value === undefined ? undefined : parseNumber(value);
  }

  flag(option: string): boolean | undefined {
    const value = this.value(option);
    return value === undefined ? undefined : parseFlag(value);
  }
}

/** A whole number that is exact in a double. */
export function parseNumber(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number)) throw new ScriptError(`"${text}" is not a whole number below 2^53`);
  return number;
}

/** As Go's strconv.ParseBool. */
export function parseFlag(text: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  throw new ScriptError(`"${text}" is neither true nor false`);
}
