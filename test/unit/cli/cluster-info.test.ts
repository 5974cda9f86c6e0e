import { expect } from 'chai';
import { infoOf, infoText } from '../../../src/cli/cluster-info.js';
import type { NodeAnswer } from '../../../src/cli/inspect.js';
import { DEFAULT_GEOMETRY } from '../../../src/model/geometry.js';
import { toEpoch } from '../../../src/model/ids.js';

const TABLE = {
  version: { generation: 7, value: 3 },
  geometry: DEFAULT_GEOMETRY,
  allocs: [],
  stores: [],
  runs: [{ sectionCount: 42_950, alloc: undefined, epoch: toEpoch(1) }],
};

function node(name: string, version: string): NodeAnswer {
  return { address: `${name}:1`, error: '', status: { name, clusterId: 'c', version, pid: 9, uptimeMs: 1n, role: undefined } };
}

describe('cluster info', () => {
  it('names each version with the nodes that run it, and leaves out who is silent', () => {
    const silent: NodeAnswer = { address: 'd:1', status: undefined, error: 'no answer' };
    const info = infoOf({ table: TABLE, answers: [node('b', '0.2.0'), node('a', '0.1.0'), node('c', '0.2.0'), silent] });
    expect(info.versions).to.deep.equal([
      { version: '0.1.0', nodes: ['a'] },
      { version: '0.2.0', nodes: ['b', 'c'] },
    ]);
    expect(info).to.include({ clusterId: 'c', sectionCount: 42_950, lease: undefined });
    expect(infoText(info)).to.include('lease             no store answered').and.to.include('version 0.2.0     b, c');
  });
});
