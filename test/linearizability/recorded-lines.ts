import type { Call } from './model.js';

/** A line that says what nobody can understand: never passed over. */
export class RecordError extends Error {
  override readonly name = 'RecordError';
}

/** Builds calls from events, one a line: the number of its line is the time of an event. */
export class LineRecorder<Input, Output> {
  readonly #calls: (Call<Input, Output> | undefined)[] = [];
  readonly #open = new Map<string, { readonly place: number; readonly input: Input; readonly invokedAt: number }>();

  invoke(process: string, input: Input, line: number): void {
    if (this.#open.has(process)) throw new RecordError(`line ${line}: process ${process} invokes before its last call has ended`);
    this.#open.set(process, { place: this.#calls.push(undefined) - 1, input, invokedAt: line });
  }

  /** `outputOf` gives what the call returned, or 'nothing' for a call that certainly did nothing and told nothing. */
  end(process: string, line: number, outputOf: (input: Input) => Output | 'nothing'): void {
    const open = this.#open.get(process);
    if (open === undefined) throw new RecordError(`line ${line}: process ${process} returns, but has invoked nothing`);
    this.#open.delete(process);
    const { place, input, invokedAt } = open;
    const output = outputOf(input);
    if (output !== 'nothing') this.#calls[place] = { input, output, invokedAt, returnedAt: line };
  }

  /** In the order of invocation. `outputAtEnd`: what a call that is still open returned after the last line; by default nobody knows. */
  calls(outputAtEnd?: Output): Call<Input, Output>[] {
    for (const { place, input, invokedAt } of this.#open.values())
      this.#calls[place] = { input, output: outputAtEnd, invokedAt, returnedAt: Number.POSITIVE_INFINITY };
    return this.#calls.filter((call) => call !== undefined);
  }
}
