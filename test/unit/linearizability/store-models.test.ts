import { expect } from 'chai';
import type { Call } from '../../linearizability/model.js';
import { type SectionInput, type SectionOutput, type SectionRecord, sectionRecord } from '../../linearizability/section-record.js';
import { search } from '../../linearizability/search.js';
import { type VersionedInput, type VersionedOutput, versionedRegister } from '../../linearizability/versioned-register.js';

describe('sectionRecord', () => {
  const initial: SectionRecord = { epoch: 3, base: 100n, maxSeq: 200n, isOwned: true };
  const verdict = (...steps: readonly Step<SectionInput, SectionOutput>[]) => search(sectionRecord(initial), inTurn(steps)).type;
  const raise = (epoch: number, to: bigint) => ({ type: 'raise', epoch, to }) as const;
  const raised = (maxSeq: bigint) => ({ type: 'raised', maxSeq }) as const;
  const record = (changes: Partial<SectionRecord>) => ({ type: 'record', record: { ...initial, ...changes } }) as const;
  const read = { type: 'read' } as const;
  const refused = { type: 'refused' } as const;
  const grant = { type: 'grant', epoch: 4, raiseBy: 50n } as const;

  it('keeps the highest raise', () => {
    expect(verdict([raise(3, 300n), raised(300n)], [raise(3, 250n), raised(300n)], [read, record({ maxSeq: 300n })])).to.equal('ok');
  });

  it('finds an acknowledged raise that is gone', () => {
    expect(verdict([raise(3, 300n), raised(300n)], [read, record({})])).to.equal('illegal');
  });

  it('lets a raise of unknown outcome have happened or not', () => {
    expect(verdict([raise(3, 300n), undefined], [read, record({})], [read, record({ maxSeq: 300n })])).to.equal('ok');
    expect(verdict([raise(3, 300n), undefined], [read, record({ maxSeq: 300n })], [read, record({})])).to.equal('illegal');
  });

  it('fences a former epoch once the next was granted', () => {
    expect(verdict([grant, undefined], [raise(3, 300n), refused], [read, record({ epoch: 4, base: 200n, maxSeq: 250n })])).to.equal('ok');
    expect(verdict([grant, { type: 'done' }], [raise(3, 300n), raised(300n)])).to.equal('illegal');
  });

  it('finds an owner that was refused in its own epoch', () => {
    expect(verdict([raise(3, 300n), refused])).to.equal('illegal');
  });

  it('takes a release that lowers maxSeq to what is true, once, and nothing outside of the window', () => {
    const release = { type: 'release', epoch: 3, trueMax: 150n } as const;
    expect(verdict([release, { type: 'done' }], [release, refused], [read, record({ maxSeq: 150n, isOwned: false })])).to.equal('ok');
    expect(verdict([{ ...release, trueMax: 99n }, { type: 'done' }])).to.equal('illegal');
  });
});

describe('versionedRegister', () => {
  const model = versionedRegister({ version: 7, value: 'a' });
  const verdict = (...steps: readonly Step<VersionedInput, VersionedOutput>[]) => search(model, inTurn(steps)).type;
  const set = (basedOn: number, value: string) => ({ type: 'set', basedOn, value }) as const;
  const read = (version: number, value: string): Step<VersionedInput, VersionedOutput> => [{ type: 'read' }, { type: 'read', version, value }];

  it('counts a version for each change', () => {
    expect(verdict([set(7, 'b'), { type: 'set', isDone: true }], [set(7, 'c'), { type: 'set', isDone: false }], read(8, 'b'))).to.equal('ok');
  });

  it('finds two changes of one version', () => {
    expect(verdict([set(7, 'b'), { type: 'set', isDone: true }], [set(7, 'c'), { type: 'set', isDone: true }])).to.equal('illegal');
  });

  it('finds a refusal of the version that is', () => {
    expect(verdict([set(7, 'b'), { type: 'set', isDone: false }])).to.equal('illegal');
  });

  it('finds a stale read', () => {
    expect(verdict([set(7, 'b'), { type: 'set', isDone: true }], read(7, 'a'))).to.equal('illegal');
  });

  it('lets a change of unknown outcome be seen, or not', () => {
    expect(verdict([set(7, 'b'), undefined], read(7, 'a'), read(8, 'b'))).to.equal('ok');
    expect(verdict([set(7, 'b'), undefined], [set(7, 'c'), { type: 'set', isDone: true }], read(8, 'c'))).to.equal('ok');
  });
});

type Step<Input, Output> = readonly [Input, Output | undefined];

/** One after the other. */
function inTurn<Input, Output>(steps: readonly Step<Input, Output>[]): Call<Input, Output>[] {
  return steps.map(([input, output], at) => ({ input, output, invokedAt: at * 2, returnedAt: at * 2 + 1 }));
}
