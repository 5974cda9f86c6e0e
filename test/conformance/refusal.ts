/** An error whose text is part of what a command prints: a data file may expect it. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}
