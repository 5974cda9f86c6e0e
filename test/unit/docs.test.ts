import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'chai';

/** `alloc/node.ts:tryNext`: a file below src and a name in it. */
const PLACE = /`([\w-]+\/[\w-]+\.ts):(\w+)`/g;
/** `test/unit/x.test.ts` "a sentence": a test file and the name of a test, or of a group of tests, in it. */
const PROOF = /`(test\/[\w/-]+\.test\.ts)` "([^"]+)"/g;

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

  it('GUARANTEES.md ties each line to tests that exist', () => {
    const proofs = [...readFileSync('GUARANTEES.md', 'utf8').matchAll(PROOF)];
    expect(proofs.length).to.be.greaterThan(25);
    for (const [proof, file = '', name = ''] of proofs) {
      expect(existsSync(file), `${proof}: no such file`).to.equal(true);
      expect(readFileSync(file, 'utf8'), proof).to.include(name);
    }
  });

  it('links to files that exist', () => {
    for (const page of ['README.md', 'ARCHITECTURE.md', 'GUARANTEES.md', 'OPERATIONS.md', 'CONTRIBUTING.md']) {
      for (const [, target = ''] of readFileSync(page, 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
        expect(existsSync(target), `${page} links to ${target}`).to.equal(true);
      }
    }
  });

  it('docs/errors.md is printed from the table in the source', () => {
    execFileSync(process.execPath, ['scripts/docs.mjs', '--check'], { stdio: 'pipe' });
  });
});
