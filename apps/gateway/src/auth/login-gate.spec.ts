import { TidingsError } from '@tidings/protocol/errors';
import type { LoginEnd } from '@tidings/common/rpc/calls';
import { LoginGate } from './login-gate';

type Storage = number | 'not_found' | 'away';

function setUp(sources: {
  redis: number | null | 'away';
  storage: Storage;
  end?: LoginEnd | 'away';
  storedEnd?: LoginEnd;
}) {
  let now = 0;
  const asked: string[] = [];
  const raised: number[] = [];
  const gate = new LoginGate(
    {
      get: () => {
        asked.push('redis');
        return sources.redis === 'away'
          ? Promise.reject(new Error('away'))
          : Promise.resolve(sources.redis);
      },
      raise: (_userId, _deviceId, generation) => {
        raised.push(generation);
        return Promise.resolve(generation);
      },
      endOf: () =>
        sources.end === 'away'
          ? Promise.reject(new Error('away'))
          : Promise.resolve(sources.end ?? null),
    },
    {
      call: ((name: string) => {
        asked.push('storage');
        if (name === 'accounts.ended' && sources.storedEnd)
          return Promise.resolve({ reason: sources.storedEnd });
        if (typeof sources.storage === 'number') {
          return Promise.resolve({ generation: sources.storage });
        }
        const code = sources.storage === 'away' ? 'unavailable' : sources.storage;
        return Promise.reject(new TidingsError(code));
      }) as never,
    },
    () => now,
  );
  const judge = () =>
    gate.require('u', 'd', 5).then(
      () => 'valid',
      (error: TidingsError) => error.code,
    );
  return { gate, judge, asked, raised, sources, at: (ms: number) => (now = ms) };
}

describe('LoginGate', () => {
  it.each<[number | null | 'away', Storage, string]>([
    [5, 'away', 'valid'],
    [6, 5, 'unauthorized'],
    [6, 'away', 'unauthorized'],
    [4, 5, 'valid'],
    [4, 6, 'unauthorized'],
    [4, 4, 'unauthorized'],
    [4, 'not_found', 'unauthorized'],
    [4, 'away', 'unavailable'],
    [null, 5, 'valid'],
    [null, 6, 'unauthorized'],
    [null, 'not_found', 'unauthorized'],
    [null, 'away', 'unavailable'],
    ['away', 5, 'valid'],
    ['away', 6, 'unauthorized'],
    ['away', 'not_found', 'unauthorized'],
    ['away', 'away', 'unavailable'],
  ])('redis: %s, storage: %s → %s', async (redis, storage, outcome) => {
    expect(await setUp({ redis, storage }).judge()).toBe(outcome);
  });

  it.each<[LoginEnd | 'away' | undefined, LoginEnd | undefined, number]>([
    ['logged_out', undefined, 4502],
    ['replaced', undefined, 4501],
    ['disabled', undefined, 4503],
    [undefined, 'replaced', 4501],
    [undefined, 'disabled', 4503],
    ['away', 'replaced', 4501],
    ['away', undefined, 4502],
  ])('ended as redis: %s, storage: %s → %i', async (end, storedEnd, code) => {
    const { gate } = setUp({ redis: 6, storage: 'away', end, storedEnd });
    expect((await gate.closeOf('u', 'd')).code).toBe(code);
  });

  it('uses a positive answer for a second, and never a negative one', async () => {
    const { judge, asked, sources, at } = setUp({ redis: 5, storage: 'away' });
    await judge();
    sources.redis = 6;
    at(1_000);
    expect(await judge()).toBe('valid');
    at(1_001);
    expect(await judge()).toBe('unauthorized');
    sources.redis = 5;
    expect(await judge()).toBe('valid');
    expect(asked).toEqual(['redis', 'redis', 'redis']);
  });

  it('has no grace for sockets, nor after a logout here', async () => {
    const { gate, judge, sources } = setUp({ redis: 5, storage: 'away' });
    await judge();
    sources.redis = 6;
    await expect(gate.requireNow('u', 'd', 5)).rejects.toMatchObject({ code: 'unauthorized' });
    gate.forget('u', 'd');
    expect(await judge()).toBe('unauthorized');
  });

  it('writes what storage said back to Redis', async () => {
    const { judge, raised } = setUp({ redis: null, storage: 5 });
    await judge();
    expect(raised).toEqual([5]);
  });
});
