import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { projectRoot } from '../project-root.js';
import { need, run } from './tools.js';

describe('files of the deployment', () => {
  it('are YAML that yamllint has nothing to say about', function () {
    need(this, 'yamllint');
    const { code, text } = run('yamllint', ['--strict', '--config-file', 'deploy/.yamllint', 'deploy']);
    expect(text).to.equal('');
    expect(code).to.equal(0);
  });

  for (const page of ['deploy/README.md', 'docs/runbooks.md']) {
    it(`${page} links to files that exist`, () => {
      const links = [...readFileSync(join(projectRoot, page), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target = '']) => target);
      expect(links).to.have.length.greaterThan(1);
      for (const target of links) expect(existsSync(join(projectRoot, page, '..', target)), target).to.equal(true);
    });
  }

  it('are shell scripts that shellcheck has nothing to say about', function () {
    need(this, 'shellcheck');
    const { code, text } = run('shellcheck', scripts());
    expect(text).to.equal('');
    expect(code).to.equal(0);
  });
});

/** The gate, and every file of deploy/ that begins as a shell script does. */
function scripts(): string[] {
  const inDeploy = readdirSync(join(projectRoot, 'deploy'), { recursive: true, encoding: 'utf8' }).map((name) => join('deploy', name));
  return ['.ci/run', ...inDeploy].filter((name) => {
    const path = join(projectRoot, name);
    return statSync(path).isFile() && /^#!.*\b(?:ba)?sh\b/.test(readFileSync(path, 'utf8'));
  });
}
