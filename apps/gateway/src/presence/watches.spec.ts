import type { Presence } from '@tidings/protocol/http';
import { createLogger } from '@tidings/common/runtime/logger';
import { WriteQueue } from '../socket/write-queue';
import { fakeConnection } from '../testing/fake-connection';
import { Watches } from './watches';

const settle = () => new Promise((resolve) => setImmediate(resolve));

function setUp(maxPairs?: number) {
  const world = {
    version: 100,
    away: false,
    hidden: new Set<string>(),
    asked: [] as string[][],
    now: 0,
    shed: false,
  };
  const joined = jest.fn();
  const statuses = new Map<string, Presence['status']>();
  const registered: string[] = [];
  const presenceOf = (userId: string, version: number): Presence => {
    const status = statuses.get(userId) ?? 'offline';
    return { userId, status, lastSeenAt: 'T', activeAt: null, version };
  };
  /** Looks wait here when the test holds them. */
  const gates: (() => void)[] = [];
  let held = false;
  const watches = new Watches(
    {
      seen: {
        get: async (_viewer, userIds) => {
          world.asked.push([...userIds]);
          if (world.away) throw new Error('away');
          const found = userIds.map((userId) => ({
            presence: presenceOf(userId, ++world.version),
            visible: !world.hidden.has(userId),
          }));
          if (held) await new Promise<void>((resolve) => gates.push(resolve));
          return found;
        },
      },
      users: {
        add: (userId) => void registered.push(userId),
        remove: (userId) => void registered.splice(registered.indexOf(userId), 1),
        registered: async () => undefined,
      },
      writes: new WriteQueue({ overflow: jest.fn() }),
      metrics: { passedOver: jest.fn(), pushed: jest.fn(), lookFailed: jest.fn() },
      logger: createLogger({ service: 'gateway', nodeId: 'g', level: 'silent' }),
      lanes: { sheds: () => world.shed },
      laneMetrics: { joined },
      clock: () => world.now,
      random: () => 0,
    },
    maxPairs,
  );
  const viewer = (id: string, userId = id) => {
    const fake = fakeConnection({ id, owner: { userId } });
    fake.connection.welcomed = true;
    const said = () =>
      fake.frames.map((text) => {
        const { userId: of, status, lastSeenAt, code } = JSON.parse(text) as Record<string, string>;
        return code ?? `${of} ${status}${lastSeenAt === null ? ' never' : ''}`;
      });
    const watch = async (...userIds: string[]) => {
      watches.handle(fake.connection, { type: 'watch', userIds });
      await settle();
    };
    return { ...fake, said, watch };
  };
  const changes = (userId: string, status: Presence['status']) => {
    statuses.set(userId, status);
    watches.changed(presenceOf(userId, ++world.version));
  };
  const hold = (on: boolean) => {
    held = on;
    for (const go of gates.splice(0)) go();
  };
  return { world, watches, registered, viewer, changes, statuses, hold, joined };
}

describe('Watches', () => {
  it('answers a list, then tells changes to those who have it, and nothing twice', async () => {
    const { viewer, changes, watches } = setUp();
    const [ann, bob] = [viewer('ann'), viewer('bob')];
    await ann.watch('x', 'y', 'x');
    await bob.watch('y');
    changes('x', 'online');
    changes('y', 'away');
    changes('y', 'away');
    changes('z', 'online');
    expect(ann.said()).toEqual(['x offline', 'y offline', 'x online', 'y away']);
    expect(bob.said()).toEqual(['y offline', 'y away']);
    watches.changed({
      userId: 'x',
      status: 'offline',
      lastSeenAt: 'T',
      activeAt: null,
      version: 1,
    });
    expect(ann.said()).toHaveLength(4);
  });

  describe('while presence is shed', () => {
    it('tells of a user once in 10 s, the latest, and what is left when it is given back', async () => {
      const { world, watches, viewer, changes, joined } = setUp();
      const ann = viewer('ann');
      await ann.watch('x', 'y');
      world.shed = true;
      changes('x', 'online');
      changes('x', 'away');
      changes('x', 'offline');
      changes('x', 'online');
      changes('x', 'away');
      changes('y', 'online');
      const first = ['x offline', 'y offline', 'x online', 'y online'];
      expect(ann.said()).toEqual(first);
      expect(joined).toHaveBeenCalledTimes(4);
      world.now = 9_999;
      watches.tellSome();
      expect(ann.said()).toEqual(first);
      world.now = 10_000;
      watches.tellSome();
      expect(ann.said()).toEqual([...first, 'x away']);
      changes('x', 'online');
      changes('y', 'away');
      expect(ann.said().slice(5)).toEqual(['y away']);
      world.shed = false;
      watches.tellSome();
      expect(ann.said().slice(6)).toEqual(['x online']);
      watches.tellSome();
      changes('x', 'away');
      expect(ann.said().slice(7)).toEqual(['x away']);
    });

    it('looks at no list again by itself, until it is given back', async () => {
      jest.useFakeTimers({ doNotFake: ['setImmediate'] });
      const { world, watches, viewer } = setUp();
      await viewer('ann').watch('x');
      watches.start();
      world.shed = true;
      await jest.advanceTimersByTimeAsync(5_000);
      expect(world.asked).toEqual([['x']]);
      world.shed = false;
      await jest.advanceTimersByTimeAsync(1_000);
      expect(world.asked).toEqual([['x'], ['x']]);
      watches.stop();
      jest.useRealTimers();
    });

    it('answers a list at once, with what was not told yet, and forgets whom nobody watches', async () => {
      const { world, watches, viewer, changes } = setUp();
      const [ann, bob] = [viewer('ann'), viewer('bob')];
      await ann.watch('x');
      world.shed = true;
      changes('x', 'online');
      changes('x', 'away');
      await bob.watch('x');
      expect(bob.said()).toEqual(['x away']);
      await ann.watch();
      await bob.watch();
      world.now = 20_000;
      watches.tellSome();
      expect(ann.said()).toEqual(['x offline', 'x online']);
    });
  });

  it('replaces the list, registers whom somebody watches, and ends with the socket', async () => {
    const { viewer, changes, registered, watches } = setUp();
    const [ann, bob] = [viewer('ann'), viewer('bob')];
    await ann.watch('x', 'y');
    await bob.watch('y');
    await ann.watch('y', 'z');
    expect(registered).toEqual(['y', 'z']);
    changes('x', 'online');
    expect(ann.said()).toEqual(['x offline', 'y offline', 'y offline', 'z offline']);
    await ann.watch();
    expect([registered, watches.size]).toEqual([['y'], 1]);
    watches.closed(bob.connection);
    watches.closed(ann.connection);
    expect([registered, watches.size]).toEqual([[], 0]);
  });

  it('shows of whom one may not see what it shows of nobody, also in changes', async () => {
    const { viewer, changes, world } = setUp();
    world.hidden.add('x');
    const ann = viewer('ann');
    await ann.watch('x');
    changes('x', 'online');
    expect(ann.said()).toEqual(['x offline never']);
  });

  it.each([
    ['of the one who is watched', 'x'],
    ['of the one who watches', 'ann'],
  ])('judges anew after a change %s', async (_whose, userId) => {
    const { viewer, changes, world, watches } = setUp();
    const ann = viewer('ann');
    await ann.watch('x');
    changes('x', 'online');
    world.hidden.add('x');
    watches.judgeAgain(userId);
    await settle();
    world.hidden.clear();
    watches.judgeAgain(userId);
    await settle();
    expect(ann.said()).toEqual(['x offline', 'x online', 'x offline never', 'x online']);
    const versions = ann.frames.map((text) => (JSON.parse(text) as Presence).version);
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
  });

  it('loses no change that comes while it looks, and lets what one may see have the last word', async () => {
    const { viewer, changes, world, watches, hold } = setUp();
    const [ann, bob] = [viewer('ann'), viewer('bob')];
    hold(true);
    await ann.watch('x');
    changes('x', 'online');
    hold(false);
    await settle();
    expect(ann.said()).toEqual(['x online']);
    await bob.watch('x');
    world.hidden.add('x');
    hold(true);
    watches.judgeAgain('bob');
    await settle();
    changes('x', 'away');
    hold(false);
    await settle();
    expect(bob.said()).toEqual(['x online', 'x away', 'x offline never']);
  });

  it('tries again what could not be looked at, and says nothing meanwhile', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] });
    try {
      const { viewer, world } = setUp();
      world.away = true;
      const ann = viewer('ann');
      await ann.watch('x');
      expect(ann.said()).toEqual([]);
      world.away = false;
      await jest.advanceTimersByTimeAsync(1_000);
      expect(ann.said()).toEqual(['x offline']);
    } finally {
      jest.useRealTimers();
    }
  });

  it('refuses a list beyond the bound of all, and keeps the one before it', async () => {
    const { viewer, changes } = setUp(3);
    const [ann, bob] = [viewer('ann'), viewer('bob')];
    await ann.watch('x', 'y');
    await bob.watch('x', 'y');
    expect(bob.said()).toEqual(['busy']);
    await ann.watch('x', 'y', 'z', 'u');
    expect(ann.said().at(-1)).toBe('busy');
    changes('y', 'online');
    expect(ann.said().at(-1)).toBe('y online');
  });

  it('looks at all lists again when changes may have got lost, and tells what is new', async () => {
    const { viewer, watches, statuses } = setUp();
    const [ann, bob] = [viewer('ann'), viewer('bob')];
    await ann.watch('x', 'y');
    await bob.watch('x');
    statuses.set('x', 'online');
    watches.lookAtAll();
    await settle();
    expect([ann.said().slice(2), bob.said().slice(1)]).toEqual([['x online'], ['x online']]);
  });
});
