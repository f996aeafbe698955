import { createLogger } from '@tidings/common/runtime/logger';
import { WatchedUsers } from './watched-users';

function setUp() {
  const world = { boot: 'b1', away: false };
  const written: string[] = [];
  const note =
    (sign: string) =>
    async (userIds: readonly string[], { bootId }: { bootId: string }) => {
      if (world.away) throw new Error('away');
      for (const userId of userIds) written.push(`${sign}${userId} ${bootId}`);
    };
  const users = new WatchedUsers({
    gatewayId: 'g',
    bootId: () => world.boot,
    watchers: { add: note('+'), remove: note('-') },
    logger: createLogger({ service: 'gateway', nodeId: 'g', level: 'silent' }),
  });
  return { world, written, users };
}

describe('WatchedUsers', () => {
  it('registers once, renews all in a round, and takes out whom nobody watches', async () => {
    const { written, users } = setUp();
    for (const userId of ['x', 'y']) users.add(userId);
    await users.registered(['x', 'y']);
    await users.registered(['x', 'y']);
    expect(written.splice(0)).toEqual(['+x b1', '+y b1']);
    users.remove('x');
    for (let i = 0; i < 20; i++) await users.step();
    expect(written[0]).toBe('-x b1');
    expect(written.filter((one) => one === '-x b1')).toHaveLength(1);
    expect(new Set(written.slice(1))).toEqual(new Set(['+y b1']));
  });

  it('leaves in Redis who is wanted again before they were taken out', async () => {
    const { written, users } = setUp();
    users.add('x');
    await users.registered(['x']);
    users.remove('x');
    users.add('x');
    await users.registered(['x']);
    await users.step();
    expect(written).toEqual(['+x b1', '+x b1']);
    expect(users.size).toBe(1);
  });

  it('registers all anew under another boot id, when Redis answers', async () => {
    const { world, written, users } = setUp();
    users.add('x');
    await users.registered(['x']);
    world.boot = 'b2';
    await users.announce(() => false);
    expect(written).toEqual(['+x b1', '+x b2']);
    world.away = true;
    let looks = 0;
    await users.announce(() => ++looks > 2);
    await expect(users.registered(['x'])).rejects.toThrow('away');
  });
});
