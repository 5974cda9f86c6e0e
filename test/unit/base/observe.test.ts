import { expect } from 'chai';
import { on, tee } from '../../../src/base/observe.js';

type Event = { type: 'raised'; to: number } | { type: 'closed' };

describe('observe', () => {
  it('hears one type and skips the rest', () => {
    const heard: number[] = [];
    const observer = on<Event, 'raised'>('raised', ({ to }) => heard.push(to));
    observer({ type: 'raised', to: 3 });
    observer({ type: 'closed' });
    expect(heard).to.deep.equal([3]);
  });

  it('tells several, in the order given', () => {
    const told: string[] = [];
    tee<Event>(
      ({ type }) => told.push(`first ${type}`),
      ({ type }) => told.push(`second ${type}`),
    )({ type: 'closed' });
    expect(told).to.deep.equal(['first closed', 'second closed']);
  });
});
