import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { DEPENDENCY_FLOORS, dependencyFindings, isAtLeast, requireDependencies } from '../../../src/cli/dependency-floors.js';
import { RefusedError } from '../../../src/cli/exit.js';

describe('floors of dependencies', () => {
  for (const [version, least, is] of [
    ['1.14.4', '1.14.4', true],
    ['1.14.10', '1.14.4', true],
    ['1.14.3', '1.14.4', false],
    ['1.9.15', '1.14.4', false],
    ['2.0.0', '1.14.4', true],
    ['1.14.4-rc.1', '1.14.4', false],
    ['1.14.5-rc.1', '1.14.4', true],
    ['8.0.0', '7.6.3', true],
  ] as const) {
    it(`say that ${version} is ${is ? '' : 'not '}at least ${least}`, () => expect(isAtLeast(version, least)).to.equal(is));
  }

  it('are kept by what is installed here, and each is found', () => {
    const findings = dependencyFindings();
    expect(findings.filter(({ isHighEnough, version }) => !isHighEnough || version === undefined)).to.deep.equal([]);
    requireDependencies(findings);
  });

  it('are not above what package.json asks npm for, or a fresh install could be refused', () => {
    const { dependencies, engines } = JSON.parse(readFileSync('package.json', 'utf8'));
    const asked: Readonly<Record<string, string>> = { ...dependencies, node: engines.node };
    for (const { name, least } of DEPENDENCY_FLOORS) {
      const range = asked[name]?.replace(/^(\^|>=)/, '');
      if (range !== undefined) expect(isAtLeast(range, least), `${name}: ${range}`).to.equal(true);
    }
  });

  it('refuse to serve with a version below, naming it, the rule and why', () => {
    const findings = dependencyFindings(({ name }) => (name === '@grpc/grpc-js' ? '1.14.3' : undefined));
    expect(() => requireDependencies(findings))
      .to.throw(RefusedError, '@grpc/grpc-js must be at least 1.14.4, got 1.14.3: a malformed request ends the server')
      .with.property('message')
      .that.includes('npm ls @grpc/grpc-js');
  });

  it('say nothing of what is not installed', () => {
    requireDependencies(dependencyFindings(() => undefined));
  });
});
