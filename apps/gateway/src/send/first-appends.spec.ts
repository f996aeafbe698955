import { FirstAppends } from './first-appends';

const FIRST = { position: '1', senderId: 's', contentHash: 'h', sentAt: 't' };
type Answer = { applied: boolean; first: typeof FIRST | null } | 'fails';

function setUp(answers: Answer[]) {
  let now = 0;
  const calls: { ids: number; waitMs: number }[] = [];
  const storage = {
    call: ((_name: string, input: { ids: unknown[]; waitMs: number }) => {
      calls.push({ ids: input.ids.length, waitMs: input.waitMs });
      const answer = answers.shift() ?? 'fails';
      if (answer === 'fails') return Promise.reject(new Error('away'));
      return Promise.resolve({ items: input.ids.map(() => answer) });
    }) as never,
  };
  const firsts = new FirstAppends(storage, () => now);
  return { firsts, calls, at: (ms: number) => (now = ms) };
}

describe('FirstAppends.lookUp', () => {
  it('asks for all of one turn in one call, without waiting', async () => {
    const { firsts, calls } = setUp([{ applied: true, first: FIRST }]);
    const found = await Promise.all(['a', 'b', 'c'].map((id) => firsts.lookUp('c', id)));
    expect(found).toEqual([FIRST, FIRST, FIRST]);
    expect(calls).toEqual([{ ids: 3, waitMs: 0 }]);
  });

  it('says nothing when storage fails, and does not ask it for a while', async () => {
    const { firsts, calls, at } = setUp(['fails', { applied: true, first: FIRST }]);
    expect(await firsts.lookUp('c', 'a')).toBeNull();
    at(1_999);
    expect(await firsts.lookUp('c', 'a')).toBeNull();
    expect(calls).toHaveLength(1);
    at(2_000);
    expect(await firsts.lookUp('c', 'a')).toEqual(FIRST);
  });
});

describe('FirstAppends.confirm', () => {
  it('asks again until storage has applied the offset', async () => {
    const behind = { applied: false, first: null };
    const { firsts, calls } = setUp([behind, behind, { applied: true, first: FIRST }]);
    expect(await firsts.confirm('c', 'a', 5n, 10_000)).toEqual(FIRST);
    expect(calls.map((c) => c.waitMs)).toEqual([100, 100, 100]);
  });

  it('takes an answer that is there before the offset is applied', async () => {
    const { firsts } = setUp([{ applied: false, first: FIRST }]);
    expect(await firsts.confirm('c', 'a', 5n, 10_000)).toEqual(FIRST);
  });

  it('gives up in time', async () => {
    const { firsts, at } = setUp([{ applied: false, first: null }, 'fails']);
    const waiting = firsts.confirm('c', 'a', 5n, 60);
    at(59);
    expect(await waiting).toBeNull();
  });
});
