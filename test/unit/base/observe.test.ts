import { expect } from 'chai';
import { observeAll, observeTypes } from '../../../src/base/observe.js';

type Event = { readonly type: 'raised'; readonly to: number } | { readonly type: 'lost' };

describe('observers', () => {
  it('tells several, in their order', () => {
    const heard: string[] = [];
    observeAll<Event>(
      ({ type }) => heard.push(`one ${type}`),
      ({ type }) => heard.push(`two ${type}`),
    )({ type: 'lost' });
    expect(heard).to.deep.equal(['one lost', 'two lost']);
  });

  it('gives each event to the handler of its type, and the rest to nobody', () => {
    const heard: number[] = [];
    const observe = observeTypes<Event>({ raised: ({ to }) => heard.push(to) });
    observe({ type: 'raised', to: 7 });
    observe({ type: 'lost' });
    expect(heard).to.deep.equal([7]);
  });
});
