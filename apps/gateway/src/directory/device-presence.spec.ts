import type { TidingsError } from '@tidings/protocol/errors';
import type { Route } from '@tidings/common/redis/routes';
import { DevicePresence } from './device-presence';

const route = (deviceId: string, gatewayId: string, bootId: string): Route => ({
  userId: 'u',
  deviceId,
  gatewayId,
  bootId,
  connectionId: '1',
  generation: '1',
});

describe('DevicePresence', () => {
  it('counts routes whose gateway holds its lease under the same boot id', async () => {
    const routes = [
      route('phone', 'g1', 'a'),
      route('laptop', 'g2', 'old'),
      route('tablet', 'g3', 'c'),
      route('watch', 'g1', 'a'),
    ];
    const holders: Record<string, string | null> = { g1: 'a', g2: 'new', g3: null };
    const presence = new DevicePresence(
      { lookup: () => Promise.resolve([routes]) },
      { holders: (ids) => Promise.resolve(ids.map((id) => holders[id] ?? null)) },
    );
    expect([...(await presence.online('u'))]).toEqual(['phone', 'watch']);
  });

  it('does not guess without Redis', async () => {
    const away = () => Promise.reject(new Error('Redis is away'));
    const presence = new DevicePresence({ lookup: away }, { holders: away });
    const code = await presence.online('u').then(
      () => 'ok',
      (error: TidingsError) => error.code,
    );
    expect(code).toBe('unavailable');
  });
});
