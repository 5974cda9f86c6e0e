/** JSON whose 64-bit numbers are decimal text. */
export function jsonText(value: object): string {
  return `${JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? part.toString() : part))}\n`;
}

/** An answer that is always the same: made into text once, for it is long. */
export class PreparedJson {
  readonly text: string;

  constructor(value: object) {
    this.text = jsonText(value);
  }
}
