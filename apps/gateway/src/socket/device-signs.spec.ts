import { fakeConnection } from '../testing/fake-connection';
import { ActivityHandler } from '../presence/activity.handler';
import { DeviceSigns, JOINED_MS } from './device-signs';

describe('DeviceSigns', () => {
  it.each([
    ['the first act at once', [0], 0, 'user'],
    ['nothing when nobody did anything', [], 0, null],
    ['no second one within the time', [0, 5], 5, null],
    ['the last one when the time is over', [0, 5], JOINED_MS, 'user'],
    ['no act twice', [0], JOINED_MS, null],
  ] as const)('tells %s', (_what, acts, now, kind) => {
    const signs = new DeviceSigns();
    acts.forEach((at, i) => {
      signs.did(at);
      if (i < acts.length - 1) signs.take(at);
    });
    if (acts.length === 1 && now > 0) signs.take(0);
    expect(signs.take(now)?.kind ?? null).toBe(kind);
    expect(signs.waits).toBe(kind === null && acts.length > 1);
  });

  it('tells where the app is at once, a return as an act, and what is taken back not at all', () => {
    const signs = new DeviceSigns();
    signs.goes('background', 0);
    expect(signs.take(0)).toEqual({ kind: 'app' });
    signs.goes('front', 100);
    expect(signs.activeAt).toBe(100);
    signs.goes('background', 200);
    // the act is told, where the app is has not changed
    expect(signs.take(200)).toEqual({ kind: 'user' });
    expect(signs.take(300)).toBeNull();
    signs.goes('front', 400);
    expect(signs.take(400)).toBeNull();
    expect(signs.waits).toBe(true);
    expect(signs.take(1_000)).toEqual({ kind: 'user' });
    expect(signs.waits).toBe(false);
  });
});

describe('ActivityHandler', () => {
  function setUp() {
    const world = { now: 0, shed: false };
    const told: string[] = [];
    const over: string[] = [];
    const handler = new ActivityHandler({
      lanes: { sheds: () => world.shed },
      events: {
        active: ({ id, signs }, kind) => void told.push(`${id} ${kind} ${signs?.mode ?? ''}`),
      },
      metrics: { passedOver: (why) => void over.push(why) },
      clock: () => world.now,
    });
    const { connection } = fakeConnection({ id: 'c' });
    return { world, told, over, handler, connection };
  }

  it('tells what came too soon later, and nothing of who has gone', () => {
    const { world, told, over, handler, connection } = setUp();
    handler.handle(connection, { type: 'state', mode: 'background' });
    handler.limited(connection, { type: 'state', mode: 'front' });
    expect([told, over]).toEqual([['c app background'], ['rate']]);
    world.now = 999;
    handler.step();
    expect(told).toHaveLength(2);
    expect(told[1]).toBe('c user front');
    const gone = fakeConnection({ id: 'd' }).connection;
    handler.limited(gone, { type: 'state', mode: 'background' });
    gone.ended = true;
    world.now = 5_000;
    handler.step();
    expect(told).toHaveLength(2);
  });

  it('tells less often while presence is shed, and the last word when it is given back', () => {
    const { world, told, handler, connection } = setUp();
    world.shed = true;
    const goes = (mode: 'front' | 'background', now: number): void => {
      world.now = now;
      handler.handle(connection, { type: 'state', mode });
      handler.step();
    };
    goes('background', 0);
    for (const [i, mode] of (['front', 'background', 'front', 'background'] as const).entries()) {
      goes(mode, 2_000 * (i + 1));
    }
    // who comes back has done something: that has a time of its own
    expect(told).toEqual(['c app background', 'c user front']);
    world.shed = false;
    handler.step();
    expect(told.slice(2)).toEqual(['c user background']);
  });

  it('joins what an app and its user do', () => {
    const { world, told, handler, connection } = setUp();
    for (let i = 0; i < 5; i++) {
      handler.did(connection);
      handler.handle(connection, { type: 'activity', kind: 'user' });
      handler.handle(connection, { type: 'activity', kind: 'app' });
      world.now += 100;
    }
    expect(told).toEqual(['c user ', 'c app ']);
    world.now = JOINED_MS;
    handler.step();
    expect(told).toEqual(['c user ', 'c app ', 'c user ']);
  });
});
