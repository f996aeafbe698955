import { BatchCombiner, type Applied, type Batch } from './batch-combiner';
import type { LogItem } from './record-decoder';

const batch = (partition: number, items = 1): Batch => ({
  partition,
  first: 0n,
  next: BigInt(items),
  items: Array.from({ length: items }, () => ({}) as LogItem),
});

function setUp(judge: (batches: readonly Batch[]) => Applied | Error) {
  const calls: number[][] = [];
  const ends: (() => void)[] = [];
  const combiner = new BatchCombiner((batches) => {
    calls.push(batches.map((b) => b.partition));
    return new Promise((resolve, reject) => {
      ends.push(() => {
        const outcome = judge(batches);
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
      });
    });
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const finish = async (): Promise<void> => {
    while (ends.length > 0) {
      ends.shift()!();
      await turn();
      await turn();
    }
  };
  return { combiner, calls, turn, finish };
}

const all = (batches: readonly Batch[]): Applied => ({
  inserted: batches.reduce((sum, b) => sum + b.items.length, 0),
});

describe('BatchCombiner', () => {
  it('applies what came in one turn together, and what came meanwhile with the next', async () => {
    const { combiner, calls, turn, finish } = setUp(all);
    const done = [0, 1, 2].map((p) => combiner.apply(batch(p, p + 1)));
    await turn();
    expect(calls).toEqual([[0, 1, 2]]);
    done.push(combiner.apply(batch(3)), combiner.apply(batch(4)));
    await turn();
    expect(calls).toHaveLength(1);
    await finish();
    expect(calls).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
    expect(await Promise.all(done)).toEqual([1, 2, 3, 1, 1].map((inserted) => ({ inserted })));
  });

  it('bounds a statement, but takes a larger batch alone', async () => {
    const { combiner, calls, turn, finish } = setUp(all);
    const sizes = [2_000, 900, 200, 5_000, 1];
    const done = sizes.map((size, p) => combiner.apply(batch(p, size)));
    await turn();
    await finish();
    await Promise.all(done);
    expect(calls).toEqual([[0, 1], [2], [3], [4]]);
  });

  it('counts what was there already once', async () => {
    const { combiner, turn, finish } = setUp(() => ({ inserted: 2 }));
    const done = [combiner.apply(batch(0, 3)), combiner.apply(batch(1, 3))];
    await turn();
    await finish();
    expect(await Promise.all(done)).toEqual([{ inserted: 0 }, { inserted: 2 }]);
  });

  it.each([
    { name: 'fenced', outcome: null },
    { name: 'refused for its data', outcome: new Error('22021') },
  ])('judges each alone when one is $name', async ({ outcome }) => {
    const { combiner, calls, turn, finish } = setUp((batches) =>
      batches.some((b) => b.partition === 1) ? outcome : all(batches),
    );
    const done = [0, 1, 2].map((p) => combiner.apply(batch(p)).catch((error: unknown) => error));
    await turn();
    await finish();
    expect(calls).toEqual([[0, 1, 2], [0], [1], [2]]);
    expect(await Promise.all(done)).toEqual([{ inserted: 1 }, outcome, { inserted: 1 }]);
  });

  it('goes on after a failure', async () => {
    let fail = true;
    const { combiner, turn, finish } = setUp((b) => (fail ? new Error('down') : all(b)));
    const first = combiner.apply(batch(0)).catch((error: Error) => error.message);
    await turn();
    await finish();
    expect(await first).toBe('down');
    fail = false;
    const second = combiner.apply(batch(0));
    await turn();
    await finish();
    expect(await second).toEqual({ inserted: 1 });
  });
});
