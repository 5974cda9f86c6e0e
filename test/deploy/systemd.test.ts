import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { STOP_LIMIT_MS, SUPERVISOR_STOP_LIMIT_MS } from '../../src/cli/process.js';
import { projectRoot } from '../project-root.js';
import { need, run } from './tools.js';

const UNITS = ['store', 'alloc', 'backup'].map((role) => `deploy/systemd/seqsvr-${role}.service`);
/** Out of 10, as systemd counts: what a service could do beyond its task. */
const EXPOSURE_MAX = 2;

describe('the systemd units', () => {
  it('are ones that systemd has nothing to say about', function () {
    need(this, 'systemd-analyze');
    const { code, text } = run('systemd-analyze', ['verify', ...UNITS]);
    // It exits 0 for a key that it does not know, and only says so.
    expect(text).to.equal('');
    expect(code).to.equal(0);
  });

  it('let a service do little beyond its task', function () {
    need(this, 'systemd-analyze');
    for (const unit of UNITS) {
      const { text } = run('systemd-analyze', ['security', '--offline=true', unit]);
      const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(text) ?? [];
      expect(Number(exposure), text).to.be.at.most(EXPOSURE_MAX);
    }
  });

  it('are all held by the same rules', () => {
    const held = UNITS.map((unit) => readFileSync(join(projectRoot, unit), 'utf8').split('# What it may not.')[1]);
    expect(held[0]).to.include('NoNewPrivileges=yes');
    expect(new Set(held).size).to.equal(1);
  });

  it('run as a user that sysusers can make', function () {
    need(this, 'systemd-sysusers');
    const file = join(projectRoot, 'deploy/systemd/seqsvr.sysusers.conf');
    const { code, text } = run('systemd-sysusers', ['--dry-run', file]);
    expect(code, text).to.equal(0);
    const [, user = ''] = /^u (\S+)/m.exec(readFileSync(file, 'utf8')) ?? [];
    for (const unit of UNITS) expect(settingsOf(unit).get('User'), unit).to.equal(user);
  });

  it('leave a node the time that it takes to stop', () => {
    for (const unit of UNITS) {
      const seconds = Number(/^(\d+)s$/.exec(settingsOf(unit).get('TimeoutStopSec') ?? '')?.[1]);
      expect(seconds * 1000, unit).to.be.greaterThan(Math.max(STOP_LIMIT_MS, SUPERVISOR_STOP_LIMIT_MS));
    }
  });

  it('name files of the package, below the folder that it is installed to', () => {
    for (const unit of UNITS) {
      for (const [, path = ''] of readFileSync(join(projectRoot, unit), 'utf8').matchAll(/\/opt\/seqsvr\/(\S+)/g)) {
        const source = path.replace(/^dist\/(.+)\.js$/, '$1.ts');
        expect(() => readFileSync(join(projectRoot, source)), `${unit}: ${path}`).not.to.throw();
      }
    }
  });
});

/** Of a key that is there more than once: the last. */
function settingsOf(unit: string): ReadonlyMap<string, string> {
  const lines = readFileSync(join(projectRoot, unit), 'utf8').matchAll(/^(\w+)=(.*)$/gm);
  return new Map([...lines].map(([, key = '', value = '']) => [key, value]));
}
