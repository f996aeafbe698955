import { whileAway } from './waiting';

const AWAY = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

function setUp() {
  const reasons: (string | null)[] = [];
  const stop = new AbortController();
  const wait = {
    isAway: (error: unknown) => (error as { code?: string }).code === 'ECONNREFUSED',
    awaiting: (reason: string | null) => void reasons.push(reason),
    signal: stop.signal,
    pauseMs: 1,
  };
  return { reasons, stop, wait };
}

describe('whileAway', () => {
  it('tries until it succeeds, and says at each try why it waits', async () => {
    const { reasons, wait } = setUp();
    const attempt = jest
      .fn<Promise<number>, []>()
      .mockRejectedValueOnce(AWAY)
      // of an address that is several ones
      .mockRejectedValueOnce(Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }))
      .mockResolvedValue(7);
    await expect(whileAway(attempt, wait)).resolves.toBe(7);
    expect(reasons).toEqual(['connect ECONNREFUSED', 'ECONNREFUSED', null]);
  });

  it('gives up at once when it will never be right', async () => {
    const { reasons, wait } = setUp();
    const wrong = new Error('no such user');
    await expect(whileAway(() => Promise.reject(wrong), wait)).rejects.toBe(wrong);
    expect(reasons).toEqual([]);
  });

  it('ends when it is told to, also in a pause', async () => {
    const { stop, wait } = setUp();
    const waiting = whileAway(() => Promise.reject(AWAY), { ...wait, pauseMs: 60_000 });
    setImmediate(() => stop.abort());
    await expect(waiting).rejects.toThrow(/abort/i);
    await expect(whileAway(() => Promise.resolve(1), wait)).rejects.toThrow(/abort/i);
  });
});
