import type { Route } from '@tidings/common/redis/routes';
import { LoginEnder } from './login-ender';

const route = (deviceId: string): Route => ({
  userId: 'u',
  deviceId,
  gatewayId: 'g',
  bootId: 'b',
  connectionId: `of-${deviceId}`,
  generation: '1',
});

function setUp(away: { logins?: boolean; tickets?: boolean; routes?: boolean } = {}) {
  const done: string[] = [];
  const act = (what: string, isAway = false): Promise<never> => {
    if (isAway) return Promise.reject(new Error('Redis is away'));
    done.push(what);
    return Promise.resolve() as Promise<never>;
  };
  const routes = ['phone', 'laptop', 'tablet'].map(route);
  const ender = new LoginEnder(
    { forget: (_user: string, device: string) => void done.push(`forget ${device}`) } as never,
    {
      raise: (_u: string, device: string, n: number) => act(`raise ${device} ${n}`, away.logins),
    } as never,
    {
      revokeResume: (_u: string, device: string) => act(`revoke ${device}`, away.tickets),
    } as never,
    {
      lookup: () =>
        away.routes ? Promise.reject(new Error('Redis is away')) : Promise.resolve([routes]),
    } as never,
    {
      close: ({ deviceId }: Route, code: number) => void done.push(`close ${deviceId} ${code}`),
    } as never,
  );
  const end = () =>
    ender.end('u', [{ userId: 'u', deviceId: 'laptop', generation: 9 }], (id) => id !== 'phone');
  return { end, done };
}

describe('LoginEnder', () => {
  it('ends copies, tickets and sockets, in this order', async () => {
    const { end, done } = setUp();
    await end();
    expect(done).toEqual([
      'forget laptop',
      'raise laptop 9',
      'revoke laptop',
      'forget laptop',
      'close laptop 4502',
      'forget tablet',
      'close tablet 4502',
    ]);
  });

  it('goes on with the rest when one of them fails, and never rejects', async () => {
    const { end, done } = setUp({ logins: true, tickets: true });
    await end();
    expect(done).toContain('close laptop 4502');
    await setUp({ logins: true, tickets: true, routes: true }).end();
  });
});
