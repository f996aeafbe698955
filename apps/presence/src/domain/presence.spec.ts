import fc from 'fast-check';
import { applyEvent, loseBoot, type DatedEvent, type PresenceEvent } from './apply-event';
import { rulesOf } from './rules';
import { judge, unknownUser, type DeviceState, type UserState } from './user-state';

const RULES = rulesOf({ awayMs: 300_000, graceMs: 15_000 });
const NOW = 1_800_000_000_000;
const PATIENT = { offlineFromMs: 0, lossesFromMs: 0 };
const NOBODY = unknownUser({ lastSeenAtMs: null, activeAtMs: null });

const device = (over: Partial<DeviceState> = {}): DeviceState => ({
  gatewayId: 'g',
  bootId: 'b',
  connectionId: 'c',
  generation: '1',
  mode: 'front',
  awaitedUntilMs: null,
  ...over,
});
const user = (devices: DeviceState[], over: Partial<UserState> = {}): UserState => ({
  ...NOBODY,
  devices: Object.fromEntries(devices.map((one, i) => [`d${i}`, one])),
  lastSeenAtMs: NOW,
  ...over,
});

/** How a device is, and whether it counts as connected, and as in front. */
const DEVICES = [
  ['none', null, false, false],
  ['in front', device(), true, true],
  ['in the background', device({ mode: 'background' }), true, false],
  ['awaited in front', device({ awaitedUntilMs: NOW + 1 }), true, true],
  [
    'awaited in the background',
    device({ mode: 'background', awaitedUntilMs: NOW + 1 }),
    true,
    false,
  ],
  ['given up', device({ awaitedUntilMs: NOW }), false, false],
] as const;
/** When the user did something, and whether that is lately. */
const ACTS = [
  ['never', null, false],
  ['just now', NOW, true],
  ['just within the time', NOW - RULES.awayMs + 1, true],
  ['too long ago', NOW - RULES.awayMs, false],
] as const;

describe('judge', () => {
  it.each(
    DEVICES.flatMap((one) =>
      DEVICES.flatMap((other) =>
        ACTS.map((act) => [one[0], other[0], act[0], one, other, act] as const),
      ),
    ),
  )('%s and %s, who did something %s', (_one, _other, _act, one, other, [, activeAtMs, lately]) => {
    const devices = [one[1], other[1]].filter((found) => found !== null);
    const { state, tells } = judge(user(devices, { activeAtMs }), NOW, RULES, PATIENT);
    const [connected, front] = [one[2] || other[2], one[3] || other[3]];
    const status = connected ? (front && lately ? 'online' : 'away') : 'offline';
    expect(tells).toBe(true);
    expect(state.told).toEqual({ status, lastSeenAtMs: NOW, activeAtMs, atMs: NOW });
    expect(Object.values(state.devices)).toEqual(
      devices.filter(({ awaitedUntilMs }) => awaitedUntilMs !== NOW),
    );
  });

  it.each([
    ['who is online, when they will be away', [device()], NOW - 1, NOW - 1 + RULES.awayMs],
    ['who is away, never', [device({ mode: 'background' })], NOW - 1, null],
    ['who is offline, never', [], NOW - 1, null],
    ['who is awaited, when they are given up', [device({ awaitedUntilMs: NOW + 9 })], NOW, NOW + 9],
  ])('looks again at %s', (_who, devices, activeAtMs, due) => {
    expect(judge(user(devices, { activeAtMs }), NOW, RULES, PATIENT).dueAtMs).toBe(due);
  });

  it('tells at most one change in a second, and none that was taken back', () => {
    const told = { status: 'away', lastSeenAtMs: NOW, activeAtMs: null, atMs: NOW } as const;
    const online = user([device()], { told, activeAtMs: NOW });
    const soon = judge(online, NOW + RULES.gapMs - 1, RULES, PATIENT);
    expect(soon).toMatchObject({ tells: false, dueAtMs: NOW + RULES.gapMs, state: { told } });
    expect(judge(online, NOW + RULES.gapMs, RULES, PATIENT)).toMatchObject({
      tells: true,
      state: { told: { status: 'online' } },
    });
    const back = { ...online, activeAtMs: null };
    expect(judge(back, NOW + RULES.gapMs, RULES, PATIENT)).toMatchObject({
      tells: false,
      dueAtMs: null,
    });
  });

  it.each([
    ['online', 'online', { activeAtMs: NOW - 5 }, false],
    ['online', 'online', { lastSeenAtMs: NOW - 5 }, false],
    ['away', 'away', { activeAtMs: NOW - RULES.awayMs - 5 }, true],
    ['away', 'away', { lastSeenAtMs: NOW - 5 }, false],
    ['offline', 'offline', { lastSeenAtMs: NOW - 5 }, true],
    ['offline', 'offline', { activeAtMs: 5 }, false],
  ] as const)('%s still %s, told with %j: news %s', (status, _still, over, news) => {
    const activeAtMs = status === 'online' ? NOW : NOW - RULES.awayMs;
    const devices = status === 'offline' ? [] : [device()];
    const told = { status, lastSeenAtMs: NOW, activeAtMs, atMs: NOW - 9_000, ...over };
    expect(judge(user(devices, { activeAtMs, told }), NOW, RULES, PATIENT).tells).toBe(news);
  });

  it('tells nobody offline before what is known is whole', () => {
    const told = { status: 'online', lastSeenAtMs: NOW, activeAtMs: NOW, atMs: 0 } as const;
    const patience = { offlineFromMs: NOW + 7, lossesFromMs: NOW + 7 };
    for (const before of [user([], { told }), user([])]) {
      const held = judge(before, NOW, RULES, patience);
      expect(held).toMatchObject({ tells: false, dueAtMs: NOW + 7 });
      expect(judge(held.state, NOW + 7, RULES, patience).state.told?.status).toBe('offline');
    }
    expect(judge(user([device()], { activeAtMs: NOW }), NOW, RULES, patience).tells).toBe(true);
  });

  it('gives nobody up while the log is being read', () => {
    const awaited = user([device({ awaitedUntilMs: NOW - 5 })], { activeAtMs: NOW });
    const patience = { offlineFromMs: 0, lossesFromMs: NOW + 7 };
    expect(judge(awaited, NOW, RULES, patience)).toMatchObject({
      dueAtMs: NOW + 7,
      state: { told: { status: 'online' } },
    });
  });
});

const ids = (deviceId: string, generation: string, over: object = {}) => ({
  userId: 'u',
  deviceId,
  connectionId: `c${generation}`,
  gatewayId: 'g',
  bootId: 'b',
  generation,
  at: '',
  ...over,
});
let offset = 0n;
const at = (atMs: number, event: PresenceEvent): DatedEvent => ({
  ...event,
  epoch: 1,
  offset: ++offset,
  atMs,
});
const opened = (atMs: number, deviceId: string, generation: string, over: object = {}) =>
  at(atMs, { kind: 'opened', event: ids(deviceId, generation, over) });
const closed = (
  atMs: number,
  deviceId: string,
  generation: string,
  reason: 'client' | 'server' | 'lost' | 'replaced' | 'ended',
  over: object = {},
) => at(atMs, { kind: 'closed', event: { ...ids(deviceId, generation, over), reason } });
const active = (atMs: number, deviceId: string, generation: string, over: object = {}) =>
  at(atMs, { kind: 'activity', event: { ...ids(deviceId, generation, over), kind: 'user' } });

const apply = (events: DatedEvent[], isBoot = true, from = NOBODY): UserState =>
  events.reduce((state, event) => applyEvent(state, event, RULES, () => isBoot), from);
const awaited = (state: UserState) =>
  Object.fromEntries(Object.entries(state.devices).map(([id, one]) => [id, one.awaitedUntilMs]));
const SLACK = RULES.graceMs + RULES.slackMs;

describe('applyEvent', () => {
  it.each([
    ['client', {}],
    ['ended', {}],
    ['server', { a: NOW + 5 + SLACK }],
    ['lost', { a: NOW + 5 + SLACK }],
    ['replaced', { a: NOW + 5 + SLACK }],
  ] as const)('a connection that closes: %s', (reason, devices) => {
    expect(awaited(apply([opened(NOW, 'a', '10'), closed(NOW + 5, 'a', '10', reason)]))).toEqual(
      devices,
    );
  });

  it('awaits a silent connection from its last sign of life', () => {
    const state = apply([
      opened(NOW, 'a', '10'),
      closed(NOW + 50_000, 'a', '10', 'lost', { silentMs: 49_000 }),
    ]);
    expect(awaited(state)).toEqual({ a: NOW + 1_000 + SLACK });
    expect(state.lastSeenAtMs).toBe(NOW + 1_000);
  });

  it.each([
    ['the old one closes late', ['10', '11'], '10', 'client', { a: null }],
    ['the new one closes', ['10', '11'], '11', 'client', {}],
    ['the old one is told late', ['11', '10'], null, null, { a: null }],
    ['generations of other lengths', ['9', '10'], '9', 'client', { a: null }],
  ] as const)(
    'between two connections of a device generations decide: %s',
    (_n, opens, close, reason, devices) => {
      const events = opens.map((generation) =>
        opened(NOW, 'a', generation, { bootId: generation }),
      );
      if (close !== null) events.push(closed(NOW, 'a', close, reason));
      const state = apply(events);
      expect(awaited(state)).toEqual(devices);
      if (state.devices['a']) expect(isLast(state.devices['a'].generation, opens)).toBe(true);
    },
  );

  it('takes nothing from a connection that has ended', () => {
    const state = apply([
      opened(NOW, 'a', '10'),
      closed(NOW + 1, 'a', '10', 'client'),
      opened(NOW + 2, 'a', '10'),
      active(NOW + 3, 'a', '10'),
    ]);
    expect(state.devices).toEqual({});
    expect(state.lastSeenAtMs).toBe(NOW + 3);
  });

  it('makes up for an opening that got lost', () => {
    expect(awaited(apply([active(NOW, 'a', '10')]))).toEqual({ a: null });
  });

  it('counts who opens the app as active, and nobody who comes back to it', () => {
    expect(apply([opened(NOW, 'a', '10')]).activeAtMs).toBe(NOW);
    const back = apply([
      opened(NOW, 'a', '10'),
      closed(NOW + 1_000, 'a', '10', 'lost'),
      opened(NOW + 9_000, 'a', '11'),
    ]);
    expect(back).toMatchObject({
      activeAtMs: NOW,
      devices: { a: { generation: '11', awaitedUntilMs: null } },
    });
    const late = apply([
      opened(NOW, 'a', '10'),
      closed(NOW + 1_000, 'a', '10', 'lost'),
      opened(NOW + 60_000, 'a', '11'),
    ]);
    expect(late.activeAtMs).toBe(NOW + 60_000);
    expect(apply([opened(NOW, 'a', '10', { again: true })]).activeAtMs).toBeNull();
    expect(apply([opened(NOW, 'a', '10', { again: true, activeMsAgo: 400 })]).activeAtMs).toBe(
      NOW - 400,
    );
  });

  it('takes one act that is told twice for one', () => {
    const clocks = unknownUser({ lastSeenAtMs: NOW, activeAtMs: NOW });
    const told = (activeMsAgo: number) =>
      apply([opened(NOW + 9_000, 'a', '10', { again: true, activeMsAgo })], true, clocks)
        .activeAtMs;
    expect(told(8_900)).toBe(NOW);
    expect(told(3_000)).toBe(NOW + 6_000);
  });

  it('keeps where the app is over a connection that comes back, and counts who brings it to the front', () => {
    const away = [
      opened(NOW, 'a', '10'),
      active(NOW + 1, 'a', '10', { mode: 'background' }),
      closed(NOW + 2, 'a', '10', 'server'),
      opened(NOW + 3, 'a', '11'),
    ];
    expect(apply(away).devices['a']?.mode).toBe('background');
    const event = { ...ids('a', '11', { mode: 'front' as const }), kind: 'app' as const };
    const front = apply([...away, at(NOW + 90_000, { kind: 'activity', event })]);
    expect(front).toMatchObject({ activeAtMs: NOW + 90_000, devices: { a: { mode: 'front' } } });
  });

  it('awaits the users of a gateway that is gone, of that boot alone', () => {
    const state = apply([
      opened(NOW, 'a', '10'),
      opened(NOW, 'b', '11', { bootId: 'next' }),
      opened(NOW, 'c', '12', { gatewayId: 'h' }),
      at(NOW + 9_000, {
        kind: 'lost',
        event: {
          userId: 'u',
          gatewayId: 'g',
          bootId: 'b',
          at: new Date(NOW + 4_000).toISOString(),
        },
      }),
    ]);
    const until = NOW + 4_000 + RULES.announceMs + SLACK;
    expect(awaited(state)).toEqual({ a: until, b: null, c: null });
    expect(state.lastSeenAtMs).toBe(NOW + 4_000);
  });

  it('has seen who was connected when their gateway died, though nothing told of the connection', () => {
    const event = {
      userId: 'u',
      gatewayId: 'g',
      bootId: 'b',
      at: new Date(NOW + 4_000).toISOString(),
    };
    const state = apply([at(NOW + 9_000, { kind: 'lost', event })]);
    expect(state).toMatchObject({ devices: {}, lastSeenAtMs: NOW + 4_000 });
  });

  it('takes nobody for there whose gateway is gone already', () => {
    const late = apply([opened(NOW, 'a', '10')], false);
    expect(awaited(late)).toEqual({ a: NOW + SLACK });
    const lost = { ...late, devices: { ...late.devices } };
    expect(awaited(apply([active(NOW + 5_000, 'a', '10')], false, lost))).toEqual({
      a: NOW + SLACK,
    });
    expect(awaited(apply([active(NOW + 5_000, 'a', '10')], true, lost))).toEqual({ a: null });
  });

  it('remembers the last connections of a few devices that have left', () => {
    const events = Array.from({ length: 30 }, (_, i) => closed(NOW, `d${i}`, '10', 'client'));
    expect(Object.keys(apply(events).ended)).toEqual(
      Array.from({ length: 20 }, (_, i) => `d${i + 10}`),
    );
  });

  it('is not changed by what was applied before, in whatever order it is told again', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 20 }), fc.nat(19), (list, from) => {
        const events = list.map((one, i): DatedEvent => ({ ...one, epoch: 1, offset: BigInt(i) }));
        const once = apply(events);
        expect(apply(events.slice(from), true, once)).toEqual(once);
        expect(apply(events.toReversed(), true, once)).toEqual(once);
      }),
    );
  });

  it('never sets a clock back', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 20 }), fc.boolean(), (list, isBoot) => {
        let state = NOBODY;
        list.forEach((one, i) => {
          const next = applyEvent(
            state,
            { ...one, epoch: 1, offset: BigInt(i) },
            RULES,
            () => isBoot,
          );
          expect(next.lastSeenAtMs ?? 0).toBeGreaterThanOrEqual(state.lastSeenAtMs ?? 0);
          expect(next.activeAtMs ?? 0).toBeGreaterThanOrEqual(state.activeAtMs ?? 0);
          state = next;
        });
      }),
    );
  });

  it('takes a log of a later epoch for newer, whatever its offsets', () => {
    const before = apply([{ ...opened(NOW, 'a', '10'), epoch: 1, offset: 900n }]);
    const after = applyEvent(
      before,
      { ...closed(NOW, 'a', '10', 'client'), epoch: 2, offset: 0n },
      RULES,
      () => true,
    );
    expect(after.devices).toEqual({});
    const older = { ...opened(NOW, 'b', '11'), epoch: 1, offset: 901n };
    expect(applyEvent(after, older, RULES, () => true)).toBe(after);
  });
});

const anyEvent = fc
  .record({
    device: fc.constantFrom('a', 'b'),
    generation: fc.constantFrom('9', '10', '11'),
    ms: fc.nat(100_000),
    what: fc.constantFrom('opened', 'again', 'active', 'client', 'lost', 'gone' as const),
    boot: fc.constantFrom('b', 'next'),
    ago: fc.nat(50_000),
  })
  .map(({ device: id, generation, ms, what, boot, ago }) => {
    const over = { bootId: boot };
    const atMs = NOW + ms;
    switch (what) {
      case 'opened':
        return opened(atMs, id, generation, over);
      case 'again':
        return opened(atMs, id, generation, { ...over, again: true, activeMsAgo: ago });
      case 'active':
        return active(atMs, id, generation, { ...over, activeMsAgo: ago });
      case 'client':
        return closed(atMs, id, generation, 'client', over);
      case 'lost':
        return closed(atMs, id, generation, 'lost', { ...over, silentMs: ago });
      default: {
        const event = {
          userId: 'u',
          gatewayId: 'g',
          bootId: boot,
          at: new Date(atMs - ago).toISOString(),
        };
        return at(atMs, { kind: 'lost', event });
      }
    }
  });

function isLast(generation: string, all: readonly string[]): boolean {
  return all.every((one) => Number(one) <= Number(generation));
}

it('loseBoot awaits nobody twice', () => {
  const state = user([device({ awaitedUntilMs: 5 })]);
  loseBoot(state, { gatewayId: 'g', bootId: 'b' }, NOW, RULES);
  expect(awaited(state)).toEqual({ d0: 5 });
});
