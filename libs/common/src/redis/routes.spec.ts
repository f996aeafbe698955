import { InvalidRedisId } from './keys';
import { decodeRoute, encodeRoute, type Route } from './routes';

const route: Route = {
  userId: '01890a5d-ac96-774b-bcce-b302099a8057',
  deviceId: '01890a5d-ac97-7c3a-8f10-2b7d5c7e9a11',
  gatewayId: 'gateway-1',
  bootId: 'boot_A',
  connectionId: 'c.7',
  generation: '1763720000000000',
};

describe('stored form of a route', () => {
  it('comes back as it was', () => {
    expect(encodeRoute(route)).toBe('gateway-1|boot_A|c.7|1763720000000000');
    expect(decodeRoute(route.userId, route.deviceId, encodeRoute(route))).toEqual(route);
  });

  it.each(['gatewayId', 'bootId', 'connectionId', 'generation'] as const)(
    'refuses a separator in %s',
    (field) => {
      for (const bad of ['a|b', 'a\nb', 'a:b', '{a}', '']) {
        expect(() => encodeRoute({ ...route, [field]: bad })).toThrow(InvalidRedisId);
      }
    },
  );

  it.each(['', 'a', 'a|b', 'a|b|c', 'a b|b|c|1', 'a|b\nc|c|1', 'a|b|c,d|1', 'a|b|c|x'])(
    'reads %j as no route',
    (text) => {
      expect(decodeRoute(route.userId, route.deviceId, text)).toBeNull();
    },
  );
});
