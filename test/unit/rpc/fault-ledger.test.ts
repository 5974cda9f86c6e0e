import { expect } from 'chai';
import { ADDRESSES_MAX, FaultLedger, FAULTS_FORGOTTEN_PER_SECOND, FAULTS_MAX } from '../../../src/rpc/fault-ledger.js';
import { VirtualClock } from '../virtual-clock.js';

describe('FaultLedger', () => {
  const SECOND_MS = 1_000;
  let clock: VirtualClock;
  let ledger: FaultLedger;
  beforeEach(() => {
    clock = new VirtualClock();
    ledger = new FaultLedger(clock);
  });

  it('trusts an address until it has too many faults, and no other one less', () => {
    for (let count = 1; count < FAULTS_MAX; count += 1) expect(ledger.blame('10.0.0.1')).to.equal(true);
    expect(ledger.isTrusted('10.0.0.1')).to.equal(true);
    expect(ledger.blame('10.0.0.1')).to.equal(false);
    expect([ledger.isTrusted('10.0.0.1'), ledger.isTrusted('10.0.0.2')]).to.deep.equal([false, true]);
  });

  it('forgets so many faults each second', () => {
    ledger.blame('10.0.0.1', FAULTS_MAX + FAULTS_FORGOTTEN_PER_SECOND);
    clock.advance(SECOND_MS);
    expect(ledger.isTrusted('10.0.0.1')).to.equal(false);
    clock.advance(SECOND_MS / FAULTS_FORGOTTEN_PER_SECOND);
    expect(ledger.isTrusted('10.0.0.1')).to.equal(true);
  });

  it('keeps nobody out for longer than twice the bound takes to be forgotten, whatever they did', () => {
    ledger.blame('10.0.0.1', 1_000_000);
    clock.advance((FAULTS_MAX / FAULTS_FORGOTTEN_PER_SECOND) * SECOND_MS);
    expect(ledger.isTrusted('10.0.0.1')).to.equal(false);
    clock.advance(SECOND_MS / FAULTS_FORGOTTEN_PER_SECOND);
    expect(ledger.isTrusted('10.0.0.1')).to.equal(true);
  });

  it('remembers a bounded number of addresses, and forgets the first', () => {
    for (let address = 0; address <= ADDRESSES_MAX; address += 1) ledger.blame(String(address), FAULTS_MAX);
    expect([ledger.isTrusted('0'), ledger.isTrusted('1'), ledger.isTrusted(String(ADDRESSES_MAX))]).to.deep.equal([true, false, false]);
  });
});
