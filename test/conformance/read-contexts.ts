/** A data file names its reads by text, our core by numbers: a new one each time, also for a name that came before. */
export class ReadContexts {
  readonly #names: Uint8Array[] = [];

  add(name: string): number {
    return this.#names.push(new TextEncoder().encode(name));
  }

  bytesOf(context: number): Uint8Array {
    const bytes = this.#names[context - 1];
    if (bytes === undefined) throw new Error(`no read was named ${context}`);
    return bytes;
  }
}
