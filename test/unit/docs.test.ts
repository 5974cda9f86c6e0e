import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'chai';

/** `alloc/node.ts:tryNext`: a file below src and a name in it. */
const PLACE = /`([\w-]+\/[\w-]+\.ts):(\w+)`/g;
/** `test/unit/x.test.ts` "a sentence": a test file and the name of a test, or of a group of tests, in it. */
const PROOF = /`(test\/[\w/.-]+\.ts)` "([^"]+)"/g;
/** Further names in the file named last. */
const MORE = /^, "([^"]+)"/;

describe('documents', () => {
  for (const [page, least] of [
    ['ARCHITECTURE.md', 40],
    ['GUARANTEES.md', 8],
  ] as const) {
    it(`${page} names files and functions that exist`, () => {
      const places = [...readFileSync(page, 'utf8').matchAll(PLACE)];
      expect(places.length).to.be.greaterThan(least - 1);
      for (const [place, file = '', name = ''] of places) {
        expect(existsSync(`src/${file}`), `${place}: no such file`).to.equal(true);
        expect(readFileSync(`src/${file}`, 'utf8'), `${place}: no such name`).to.match(new RegExp(`\\b${name}\\b`));
      }
    });
  }

  for (const [page, least] of [
    ['GUARANTEES.md', 25],
    ['docs/raft-hazards.md', 70],
    ['docs/allocation-rules.md', 40],
  ] as const) {
    it(`${page} ties each line to tests that exist`, () => {
      const proofs = proofsIn(readFileSync(page, 'utf8'));
      expect(proofs.length).to.be.greaterThan(least);
      for (const { file, name } of proofs) {
        expect(existsSync(file), `${file}: no such file`).to.equal(true);
        expect(readFileSync(file, 'utf8'), `${page} names a test of ${file}`).to.include(name);
      }
    });
  }

  it('docs/raft-hazards.md has every hazard once, each with a test', () => {
    const rows = [...readFileSync('docs/raft-hazards.md', 'utf8').matchAll(/^\| (\d+) \|.*$/gm)];
    expect(rows.map(([, number]) => Number(number))).to.deep.equal(Array.from({ length: 49 }, (_, at) => at + 1));
    for (const [row] of rows) expect(proofsIn(row), row).to.have.length.greaterThan(0);
  });

  it('links to files that exist', () => {
    for (const page of [
      'README.md',
      'ARCHITECTURE.md',
      'GUARANTEES.md',
      'OPERATIONS.md',
      'CONTRIBUTING.md',
      'docs/raft-hazards.md',
      'docs/allocation-rules.md',
      'docs/history-format.md',
    ]) {
      for (const [, target = ''] of readFileSync(page, 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
        expect(existsSync(target), `${page} links to ${target}`).to.equal(true);
      }
    }
  });

  it('the pages that are printed from tables in the source are what these say', () => {
    execFileSync(process.execPath, ['scripts/docs.mjs', '--check'], { stdio: 'pipe' });
  });
});

function proofsIn(text: string): { readonly file: string; readonly name: string }[] {
  const found = [];
  for (const match of text.matchAll(PROOF)) {
    const [whole, file = '', name = ''] = match;
    found.push({ file, name });
    let rest = text.slice(match.index + whole.length);
    for (let more = MORE.exec(rest); more !== null; more = MORE.exec(rest)) {
      found.push({ file, name: more[1]! });
      rest = rest.slice(more[0].length);
    }
  }
  return found;
}
