import { expect } from 'chai';
import { type AllocConfig, parseConfig } from '../../../src/cli/config.js';
import { workerOf } from '../../../src/cli/worker-config.js';

const CONFIG = parseConfig(
  'insecure: true\nrole: alloc\nname: host-1\nlisten: 0.0.0.0:7091\nadvertise: host-1:7091\nadminListen: 127.0.0.1:7990\nhttpListen: 127.0.0.1:8080\ndataDir: /var/lib/seqsvr\nworkers: 3\nstores: [s:1]\n',
  'a.yaml',
) as AllocConfig;

describe('the workers of a host', () => {
  it('have a name, ports and a folder of their own', () => {
    expect(workerOf(CONFIG, 3)).to.deep.include({
      name: 'host-1-3',
      listen: '0.0.0.0:7093',
      advertise: 'host-1:7093',
      adminListen: '127.0.0.1:7992',
      httpListen: '127.0.0.1:8082',
      dataDir: '/var/lib/seqsvr/host-1-3',
      workers: undefined,
    });
  });

  it('leave port 0 to the system', () => {
    expect(workerOf({ ...CONFIG, listen: '127.0.0.1:0' }, 2).listen).to.equal('127.0.0.1:0');
  });

  it('have ports that do not overlap, and names that fit', () => {
    const text = (listen: string, name: string): string =>
      `insecure: true\nrole: alloc\nname: ${name}\nlisten: ${listen}\nadminListen: 127.0.0.1:7092\nstores: [s:1]\nworkers: 2\n`;
    expect(() => parseConfig(text('h:7091', 'a'), 'a.yaml')).to.throw(
      '2 workers take the ports 7091..7092 for listen and 7092..7093 for adminListen',
    );
    expect(parseConfig(text('h:7090', 'a'), 'a.yaml')).to.have.property('workers', 2);
    expect(() => parseConfig(`${text('h:7080', 'a')}httpListen: 127.0.0.1:7093\n`, 'a.yaml')).to.throw(
      'httpListen: 2 workers take the ports 7092..7093 for adminListen and 7093..7094 for httpListen',
    );
    expect(() => parseConfig(text('h:7090', 'a'.repeat(62)), 'a.yaml')).to.throw("with a worker's number");
  });

  it('are as many as the config has, on ports that are', () => {
    expect(() => workerOf(CONFIG, 4)).to.throw('worker must be in [1, 3], as the config has it, got 4');
    expect(() => workerOf(CONFIG, 0)).to.throw('got 0');
    expect(() => workerOf({ ...CONFIG, listen: 'h:65535' }, 2)).to.throw('past 65535');
    expect(() => parseConfig('role: alloc\nname: a\nlisten: h:1\nstores: [s:1]\nworkers: 65\n', 'a.yaml')).to.throw('workers');
  });
});
