import { CallBatch } from './call-batch';

function setUp(limits: { items: number; calls: number }) {
  const calls: number[][] = [];
  const pending: (() => void)[] = [];
  const batch = new CallBatch<number, number>((items) => {
    calls.push(items);
    return new Promise((resolve) => pending.push(() => resolve(items.map((i) => i * 2))));
  }, limits);
  return { batch, calls, pending };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('CallBatch', () => {
  it('sends what one turn asks in one call and hands out the answers', async () => {
    const { batch, calls, pending } = setUp({ items: 10, calls: 1 });
    const answers = Promise.all([1, 2, 3].map((i) => batch.ask(i)));
    await turn();
    expect(calls).toEqual([[1, 2, 3]]);
    pending[0]!();
    expect(await answers).toEqual([2, 4, 6]);
  });

  it('keeps to its limits; what queues meanwhile is the next call', async () => {
    const { batch, calls, pending } = setUp({ items: 2, calls: 1 });
    const answers = Promise.all([1, 2, 3, 4, 5].map((i) => batch.ask(i)));
    for (let i = 0; i < 3; i++) {
      await turn();
      expect(calls).toHaveLength(i + 1);
      pending[i]!();
      await turn();
    }
    expect(await answers).toEqual([2, 4, 6, 8, 10]);
    expect(calls).toEqual([[1, 2], [3, 4], [5]]);
  });

  it('rejects every item of a call that fails, and goes on', async () => {
    let fails = true;
    const batch = new CallBatch<number, number>(
      (items) => (fails ? Promise.reject(new Error('away')) : Promise.resolve(items)),
      { items: 10, calls: 1 },
    );
    const outcomes = await Promise.allSettled([batch.ask(1), batch.ask(2)]);
    expect(outcomes.map((o) => o.status)).toEqual(['rejected', 'rejected']);
    fails = false;
    expect(await batch.ask(3)).toBe(3);
  });
});
