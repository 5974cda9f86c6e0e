import { expect } from 'chai';
import { exitOfHealth, type Health, healthOfAll } from '../../../src/cli/health.js';

describe('health', () => {
  const rows: readonly [readonly Health[], Health, number][] = [
    [['healthy', 'healthy'], 'healthy', 0],
    [['healthy', 'degraded'], 'degraded', 4],
    [['healthy', 'unavailable'], 'degraded', 4],
    [['degraded', 'unknown'], 'degraded', 4],
    [['unavailable', 'unavailable'], 'unavailable', 3],
    [['unavailable', 'unknown'], 'unknown', 3],
    [['unknown'], 'unknown', 3],
    [[], 'unknown', 3],
  ];
  for (const [all, one, exit] of rows) {
    it(`of ${all.length === 0 ? 'nothing' : all.join(' and ')} is ${one}, exit code ${exit}`, () => {
      expect([healthOfAll(all), exitOfHealth(one)]).to.deep.equal([one, exit]);
    });
  }
});
