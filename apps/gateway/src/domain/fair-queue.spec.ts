import { TidingsError } from '@tidings/common/contracts/errors';
import { FairQueue } from './fair-queue';

const LIMITS = { atOnce: 1, waiting: 4, waitingPerKey: 3, patienceMs: 60_000 };
const turn = () => new Promise((resolve) => setImmediate(resolve));

function setUp(limits = LIMITS) {
  const queue = new FairQueue(limits);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const ask = (key: string, name: string, fails = false): Promise<string> =>
    queue
      .run(key, async () => {
        begun.push(name);
        await new Promise<void>((end) => ends.push(end));
        if (fails) throw new Error(name);
        return 'done';
      })
      .catch((error: unknown) => (error instanceof TidingsError ? error.code : 'failed'));
  const finish = async (): Promise<void> => {
    ends.shift()!();
    await turn();
  };
  return { queue, begun, ask, finish };
}

describe('FairQueue', () => {
  it('lets keys take turns, each in the order of asking, also past failures', async () => {
    const { begun, ask, finish } = setUp();
    void ask('a', 'a1', true);
    for (const name of ['a2', 'a3', 'a4']) void ask('a', name);
    void ask('b', 'b1');
    for (let i = 0; i < 5; i++) await finish();
    expect(begun).toEqual(['a1', 'a2', 'b1', 'a3', 'a4']);
  });

  it('runs no more than allowed at a time', async () => {
    const { begun, ask, finish, queue } = setUp({ ...LIMITS, atOnce: 2 });
    for (const name of ['1', '2', '3']) void ask('a', name);
    await turn();
    expect([begun.length, queue.waiting]).toEqual([2, 1]);
    await finish();
    expect([begun.length, queue.waiting]).toEqual([3, 0]);
  });

  it('refuses what is too much of one key, and too much in all', async () => {
    const { ask, queue } = setUp();
    for (const name of ['1', '2', '3', '4']) void ask('a', name);
    expect(await ask('a', '5')).toBe('busy');
    void ask('b', '1');
    expect(await ask('c', '1')).toBe('busy');
    expect(queue.refused).toBe(2);
  });

  it('refuses whose turn does not come in time, and goes on with the others', async () => {
    const { begun, ask, finish, queue } = setUp({ ...LIMITS, patienceMs: 30 });
    void ask('a', '1');
    expect(await ask('a', '2')).toBe('busy');
    expect(queue.waiting).toBe(0);
    const last = ask('b', '3');
    await finish();
    await finish();
    expect(await last).toBe('done');
    expect(begun).toEqual(['1', '3']);
  });
});
