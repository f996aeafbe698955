import { reconnectDelay, RedisUnavailable, together } from './client';

describe('reconnectDelay', () => {
  it('is full jitter up to one second', () => {
    for (const attempt of [1, 2, 3, 10, 1_000]) {
      expect(reconnectDelay(attempt, 0)).toBe(0);
      expect(reconnectDelay(attempt, 0.999_999)).toBeLessThanOrEqual(1_000);
    }
    expect(reconnectDelay(1, 0.999_999)).toBe(100);
    expect(reconnectDelay(50, 0.5)).toBe(500);
  });
});

describe('together', () => {
  it('gives the replies in order, whatever order they come in', async () => {
    const late = new Promise<number>((resolve) => setTimeout(() => resolve(1), 5));
    expect(await together([late, Promise.resolve(2)])).toEqual([1, 2]);
    expect(await together([])).toEqual([]);
  });

  it('throws the first failure, when all have settled', async () => {
    let settled = false;
    const late = new Promise<void>((resolve) =>
      setTimeout(() => {
        settled = true;
        resolve();
      }, 5),
    );
    const lost = Promise.reject<void>(new Error('Connection is closed.'));
    const wrong = Promise.reject<void>(new TypeError('wrong'));
    const outcome = await together([lost, wrong, late]).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(RedisUnavailable);
    expect((outcome as Error).cause).toEqual(new Error('Connection is closed.'));
    expect(settled).toBe(true);
  });
});
