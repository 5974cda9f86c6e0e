/** Some text of a built file, and what takes its place. */
export interface Edit {
  /** Of the code as it is built: TypeScript without its types. Any white space stands for any other. */
  readonly from: string;
  readonly to: string;
}

/** A test below test/unit that must fail. */
export interface Detector {
  readonly file: string;
  /** A part of its full title. */
  readonly name: string;
}

/** One seeded bug: some rule taken out of a copy of the built code, and the test that must notice. */
export interface Mutant {
  readonly name: string;
  /**
   * What is broken. `rule N` is a row of docs/allocation-rules.md, `hazard N` one of docs/raft-hazards.md; H and F are numbers of
   * our lists of hazards and failures.
   */
  readonly rule: string;
  /** Below src. */
  readonly file: string;
  readonly edits: readonly Edit[];
  readonly test: Detector;
  /** The simulator is asked too (`--with-sim`). */
  readonly isForSim: boolean;
}

interface Written extends Omit<Mutant, 'name' | 'edits' | 'test' | 'isForSim'>, Edit {
  /** More edits of the same file. */
  readonly also?: readonly Edit[];
  /** A file below test/unit, and a part of the test's full title. */
  readonly test: readonly [file: string, name: string];
  readonly isForSim?: true;
}

/** A mutant as the tables say it. */
export function mutant(name: string, { from, to, also = [], test: [file, title], isForSim, ...rest }: Written): Mutant {
  return { name, ...rest, edits: [{ from, to }, ...also], test: { file: `test/unit/${file}`, name: title }, isForSim: isForSim === true };
}

/** The built code with the bug in it. Throws unless each edit is found exactly once: a stale mutant must not pass for one that was found. */
export function mutate(built: string, { name, file, edits }: Pick<Mutant, 'name' | 'file' | 'edits'>): string {
  return edits.reduce((code, { from, to }) => {
    const places = [...code.matchAll(patternOf(from))];
    const [place] = places;
    if (place === undefined || places.length > 1) throw new Error(`mutant ${name}: found ${places.length} times in src/${file}: ${from}`);
    return code.slice(0, place.index) + to + code.slice(place.index + place[0].length);
  }, built);
}

function patternOf(text: string): RegExp {
  const words = text.trim().split(/\s+/);
  return new RegExp(words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('\\s+'), 'g');
}
