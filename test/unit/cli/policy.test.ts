import { expect } from 'chai';
import { changedLease, changedPolicy, type LeaseFlags, type PolicyFlags } from '../../../src/cli/policy.js';
import { leaseText, policyText } from '../../../src/cli/policy-lines.js';
import { parseAllocId } from '../../../src/model/ids.js';
import { DEFAULT_LEASE_TERMS } from '../../../src/model/lease.js';
import { DEFAULT_POLICY, type Policy } from '../../../src/model/policy.js';

const NO_FLAGS: PolicyFlags = { placement: undefined, standby: undefined, moves: undefined, silentShare: undefined };
const NO_CHANGE: LeaseFlags = { lease: undefined, drift: undefined, margin: undefined };
const STANDBY: Policy = { ...DEFAULT_POLICY, placement: 'primary-standby', standbys: [parseAllocId('c3')] };

describe('policy set', () => {
  const rows: readonly [string, Policy, Partial<PolicyFlags>, Partial<Record<keyof Policy, unknown>>][] = [
    ['keeps what is not named', STANDBY, { moves: '64' }, { ...STANDBY, movesInFlightMax: 64 }],
    ['takes a share with or without its sign', DEFAULT_POLICY, { silentShare: '30%' }, { silentShareMaxPercent: 30 }],
    ['takes a share as a number', DEFAULT_POLICY, { silentShare: '30' }, { silentShareMaxPercent: 30 }],
    ['names standbys', DEFAULT_POLICY, { placement: 'primary-standby', standby: 'b2, a1' }, { standbys: ['a1', 'b2'] }],
    ['lets the standbys go with the placement that has them', STANDBY, { placement: 'balanced' }, { placement: 'balanced', standbys: [] }],
    ['keeps a pause', { ...DEFAULT_POLICY, isPaused: true }, { moves: '1' }, { isPaused: true }],
  ];
  for (const [what, before, flags, after] of rows) {
    it(what, () => {
      expect(changedPolicy(before, { ...NO_FLAGS, ...flags })).to.deep.include(after);
    });
  }

  const wrong: readonly [Partial<PolicyFlags>, string][] = [
    [{ placement: 'random' }, "got 'random'"],
    [{ placement: 'primary-standby' }, 'at least one'],
    [{ standby: 'c3' }, 'only with it'],
    [{ moves: 'many' }, "--moves must be a whole number, got 'many'"],
    [{ moves: '0' }, 'got 0'],
    [{ silentShare: '101' }, 'got 101'],
  ];
  for (const [flags, words] of wrong) {
    it(`refuses ${JSON.stringify(flags)}`, () => {
      expect(() => changedPolicy(DEFAULT_POLICY, { ...NO_FLAGS, ...flags })).to.throw(words);
    });
  }

  it('is told in one line', () => {
    expect(policyText(DEFAULT_POLICY)).to.equal('placement balanced, not paused, at most 256 sections on their way, brake above 50% silent');
    expect(policyText({ ...STANDBY, isPaused: true, silentShareMaxPercent: 100 })).to.equal(
      'placement primary-standby (standby: c3), PAUSED, at most 256 sections on their way, no brake',
    );
  });
});

describe('lease set', () => {
  it('keeps what is not named', () => {
    expect(changedLease(DEFAULT_LEASE_TERMS, { ...NO_CHANGE, lease: '5s' })).to.deep.equal({ ...DEFAULT_LEASE_TERMS, leaseMs: 5000 });
    expect(changedLease(DEFAULT_LEASE_TERMS, { ...NO_CHANGE, drift: '2%', margin: '200ms' })).to.include({ driftPpm: 20_000, marginMs: 200 });
  });

  it('refuses what no lease can be, and a duration without a unit', () => {
    expect(() => changedLease(DEFAULT_LEASE_TERMS, { ...NO_CHANGE, lease: '5' })).to.throw("got '5'");
    expect(() => changedLease(DEFAULT_LEASE_TERMS, { ...NO_CHANGE, lease: '1h' })).to.throw('got 3600000ms');
    expect(() => changedLease(DEFAULT_LEASE_TERMS, { ...NO_CHANGE, drift: '50%' })).to.throw('got 500000');
  });

  it('is told in one line, with the wait that follows', () => {
    expect(leaseText({ ...DEFAULT_LEASE_TERMS, waitMs: 3161 })).to.equal('lease 3s, drift 1%, margin 100ms: a silent AllocSvr is waited for 3161ms');
  });
});
