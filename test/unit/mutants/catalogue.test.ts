import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { MUTANTS } from '../../mutants/catalogue.js';
import { mutate } from '../../mutants/mutant.js';
import { builtPath } from '../../mutants/workbench.js';
import { projectRoot } from '../../project-root.js';

/** Rows of docs/allocation-rules.md that no mutant of the built code can show: what they rest on needs real processes. */
const SHOWN_BY_PROCESSES_ONLY: Readonly<Record<string, string>> = {
  26: 'test/jepsen/membership.test.ts quarantines a store and takes its directory away',
  27: 'test/unit/cli/process.test.ts kills a supervisor',
};

describe('the mutants', () => {
  it('are many, and each has a name of its own', () => {
    const names = MUTANTS.map(({ name }) => name);
    expect(new Set(names).size).to.equal(names.length);
    expect(names.length).to.be.greaterThan(150);
    for (const name of names) expect(name).to.match(/^[a-z0-9]+(-[a-z0-9]+)*$/);
  });

  it('still fit the built code, each in one place, and change it', () => {
    for (const mutant of MUTANTS) {
      const built = readFileSync(builtPath(projectRoot, mutant), 'utf8');
      expect(mutate(built, mutant), mutant.name).to.not.equal(built);
      expect(existsSync(`${projectRoot}/${mutant.test.file}`), mutant.test.file).to.equal(true);
    }
  });

  it('take out every rule of allocation', () => {
    const rows = [...readFileSync(`${projectRoot}/docs/allocation-rules.md`, 'utf8').matchAll(/^\| (\d+a?) \|/gm)].map(([, number]) => number!);
    expect(rows.length).to.be.greaterThan(30);
    const taken = new Set(MUTANTS.flatMap(({ rule }) => rowsIn(rule, 'rules?')));
    expect(rows.filter((row) => !taken.has(row))).to.deep.equal(Object.keys(SHOWN_BY_PROCESSES_ONLY));
  });

  it('make most of the mistakes of Raft implementations', () => {
    const made = new Set(MUTANTS.flatMap(({ rule }) => rowsIn(rule, 'hazards?')));
    expect(made.size).to.be.greaterThan(34);
  });

  it('are refused when the code is not what they were made for', () => {
    const mutant = { name: 'm', file: 'x.ts', edits: [{ from: 'if (a > b) return;', to: '' }] };
    expect(mutate('let a; if (a > b)\n    return;\nb();', mutant)).to.equal('let a; \nb();');
    expect(() => mutate('if (a >= b) return;', mutant)).to.throw('mutant m: found 0 times in src/x.ts');
    expect(() => mutate('if (a > b) return; if (a > b) return;', mutant)).to.throw('found 2 times');
  });
});

/** `rules 9, 10: ...` names rows 9 and 10. */
function rowsIn(rule: string, word: string): string[] {
  const [, list = ''] = new RegExp(`\\b${word} ((?:\\d+a?(?:, )?)+)`).exec(rule) ?? [];
  return list.split(', ').filter((row) => row !== '');
}
