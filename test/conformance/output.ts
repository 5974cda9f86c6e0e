import { ScriptError } from './data-file.js';

/** Free-text log lines are never printed here, so all levels but NONE are the same: at NONE nothing is printed at all. */
export const LOG_LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'NONE'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What one command prints. */
export class Output {
  level: LogLevel = 'DEBUG';
  #text = '';

  get text(): string {
    return this.#text;
  }

  get isQuiet(): boolean {
    return this.level === 'NONE';
  }

  reset(): void {
    this.#text = '';
  }

  write(text: string): void {
    if (!this.isQuiet) this.#text += text;
  }

  /** What is printed meanwhile is moved in by two blanks and ends with a line break, also if `print` throws. */
  indented(print: () => void): void {
    const before = this.#text;
    this.#text = '';
    try {
      print();
    } finally {
      const lines = this.#text === '' ? [] : this.#text.replace(/\n$/, '').split('\n');
      this.#text = before + lines.map((line) => `  ${line}\n`).join('');
    }
  }
}

export function parseLogLevel(name: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === name.toUpperCase());
  if (level === undefined) throw new ScriptError(`unknown log level "${name}", must be one of ${LOG_LEVELS.join(', ')}`);
  return level;
}
