import type { Page, Presence } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import { createRedis, redisReady } from '@tidings/common/redis/client';
import { randomUUID } from 'node:crypto';
import { pause } from '@tidings/common/runtime/waiting';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { openSocket, type Frame, type TestSocket } from '../support/test-socket';
import { startTestStack } from '../support/test-stack';

const AWAY_SECONDS = 4;
/** Users of the gateway that dies. */
const CROWD = 40;
/** What a dead gateway leaves is ended by then, milliseconds after the kill. */
const REAPED_MS = 14_000;
const silent = { info: () => undefined, warn: () => undefined };

describe('presence', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let eyes: TestSocket;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      services: { gateway: 2, session: 1, storage: 1, presence: 1 },
      env: { AWAY_SECONDS: String(AWAY_SECONDS), RATE_LIMITS: 'off' },
    }));
    ann = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    eyes = await ann.connect('gateway-2');
  }, 240_000);
  afterAll(async () => {
    eyes?.cut();
    await stop?.();
  });

  const create = () => ChatUser.create(stack.gatewayUrls);
  const words = (of: ChatUser, from = 0): Frame[] =>
    eyes
      .of('presence')
      .slice(from)
      .filter((frame) => frame['userId'] === of.id);
  const statuses = (of: ChatUser, from = 0) => words(of, from).map((frame) => frame['status']);
  const got = async (...users: ChatUser[]): Promise<Presence[]> => {
    const path = `/v1/presence?userIds=${users.map(({ id }) => id).join(',')}`;
    return (await ann.http<Page<Presence>>('GET', path)).body.items;
  };
  const watch = async (...users: ChatUser[]): Promise<number> => {
    const from = eyes.of('presence').length;
    eyes.send({ type: 'watch', userIds: users.map(({ id }) => id) });
    await eventually(() => {
      for (const user of users) expect(words(user, from)).not.toEqual([]);
    }, 20_000);
    return from;
  };

  /** Sends to somebody until one of the messages is answered `pending`: when that one was sent, Unix ms. */
  async function firstPending(conversationId: string, receiver: ChatUser): Promise<number> {
    const sentAt = new Map<string, number>();
    for (;;) {
      const frame = textSend({ conversationId }, 'are you there?');
      sentAt.set(frame.messageId, Date.now());
      eyes.send(frame);
      await pause(500);
      const pending = eyes.of('pending').find(({ messageId }) => sentAt.has(messageId as string));
      if (!pending) continue;
      expect(pending['offline']).toEqual([receiver.id]);
      return sentAt.get(pending['messageId'] as string)!;
    }
  }

  it('tells online, away and offline, as GET does, and by whom the app is left and taken up again', async () => {
    const bob = await create();
    const from = await watch(bob);
    expect(words(bob, from)).toMatchObject([
      { status: 'offline', lastSeenAt: null, activeAt: null },
    ]);
    const socket = await bob.connect('gateway-1');
    const tells = (...list: string[]) =>
      eventually(() => expect(statuses(bob, from)).toEqual(list));
    await tells('offline', 'online');
    expect(await got(bob)).toMatchObject([{ status: 'online' }]);
    await tells('offline', 'online', 'away');
    socket.send({ type: 'activity', kind: 'user' });
    await tells('offline', 'online', 'away', 'online');
    socket.send({ type: 'state', mode: 'background' });
    await tells('offline', 'online', 'away', 'online', 'away');
    socket.send({ type: 'state', mode: 'front' });
    await tells('offline', 'online', 'away', 'online', 'away', 'online');
    const before = Date.now();
    await socket.end();
    await tells('offline', 'online', 'away', 'online', 'away', 'online', 'offline');
    // a dead one is found after 15 s
    expect(Date.now() - before).toBeLessThan(10_000);
    const [last] = words(bob, from).slice(-1);
    const [item] = await got(bob);
    expect({ ...item, version: 0 }).toEqual({ ...last, type: undefined, version: 0 });
    expect(Date.parse(last!['lastSeenAt'] as string)).toBeGreaterThanOrEqual(before - 1_000);
    const versions = words(bob, from).map((frame) => frame['version'] as number);
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
    // several devices: one that stays is enough
    const [one, other] = [
      await bob.connect('gateway-1'),
      await (await bob.onNewDevice()).connect(),
    ];
    await eventually(() => expect(statuses(bob, from).at(-1)).toBe('online'));
    await one.end();
    await pause(1_500);
    expect(statuses(bob, from).slice(7)).not.toContain('offline');
    expect((await got(bob))[0]!.status).not.toBe('offline');
    await other.end();
  });

  it('takes a list of 500 and refuses one of 501, which changes nothing; a list replaces the one before it, and ends with its socket', async () => {
    const [bob, carl] = [await create(), await create()];
    const strangers = Array.from({ length: LIMITS.watch - 1 }, () => randomUUID());
    const from = eyes.of('presence').length;
    eyes.send({ type: 'watch', ref: 'full', userIds: [bob.id, ...strangers] });
    await eventually(() => expect(eyes.of('presence').length).toBe(from + LIMITS.watch), 20_000);
    const shown = eyes.of('presence').slice(from);
    const nothing = { type: 'presence', status: 'offline', lastSeenAt: null, activeAt: null };
    for (const frame of shown)
      expect({ ...frame, userId: '', version: 0 }).toEqual({ ...nothing, userId: '', version: 0 });
    eyes.send({ type: 'watch', ref: 'more', userIds: [carl.id, bob.id, ...strangers] });
    expect(await eyes.find((f) => f['ref'] === 'more')).toMatchObject({
      type: 'error',
      code: 'invalid_frame',
    });
    const b = await bob.connect();
    await eventually(() => expect(statuses(bob, from)).toContain('online'));
    const later = await watch(carl);
    await b.end();
    const c = await carl.connect();
    await eventually(() => expect(statuses(carl, later)).toContain('online'));
    expect(words(bob, later)).toEqual([]);
    const other = await (await ann.onNewDevice()).connect('gateway-2');
    other.send({ type: 'watch', userIds: [carl.id] });
    await other.next('presence');
    await other.end();
    eyes.send({ type: 'watch', userIds: [] });
    await c.end();
    await pause(1_000);
    expect(statuses(carl, later).slice(1)).not.toContain('offline');
  });

  it('of who blocks or hides is told as of somebody who was never there, within 2 s, and back', async () => {
    const bob = await create();
    const b = await bob.connect('gateway-1');
    const from = await watch(bob);
    await eventually(() => expect(statuses(bob, from).at(-1)).toMatch(/online|away/));
    const turns: [string, () => Promise<unknown>, () => Promise<unknown>][] = [
      [
        'block',
        () => bob.http('PUT', `/v1/blocks/${ann.id}`),
        () => bob.http('DELETE', `/v1/blocks/${ann.id}`),
      ],
      [
        'privacy',
        () => bob.http('PATCH', '/v1/me', { privacy: { lastSeen: 'nobody' } }),
        () => bob.http('PATCH', '/v1/me', { privacy: { lastSeen: 'everyone' } }),
      ],
      [
        'own privacy',
        () => ann.http('PATCH', '/v1/me', { privacy: { lastSeen: 'nobody' } }),
        () => ann.http('PATCH', '/v1/me', { privacy: { lastSeen: 'everyone' } }),
      ],
    ];
    for (const [, hides, shows] of turns) {
      await hides();
      const hidden = { status: 'offline', lastSeenAt: null, activeAt: null };
      await eventually(() => expect(words(bob, from).at(-1)).toMatchObject(hidden), 10_000);
      expect(await got(bob)).toMatchObject([hidden]);
      await shows();
      await eventually(() => expect(statuses(bob, from).at(-1)).toMatch(/online|away/), 10_000);
    }
    const versions = words(bob, from).map((frame) => frame['version'] as number);
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
    await b.end();
  });

  it('is told to nobody anew when presence is restarted or Redis was emptied', async () => {
    const people = await Promise.all([create(), create(), create()]);
    const sockets = await Promise.all(
      people.map((one, i) => one.connect(`gateway-${(i % 2) + 1}`)),
    );
    const from = await watch(...people);
    const settled = () =>
      eventually(
        () =>
          expect(people.map((one) => statuses(one, from).at(-1))).toEqual(people.map(() => 'away')),
        15_000,
      );
    await settled();
    const quiet = eyes.of('presence').length;
    await stack.node('presence-1').kill('SIGKILL');
    await stack.node('presence-1').restart();
    const redis = createRedis(stack.redisUrl, { name: 'test', log: silent });
    await redisReady(redis, 10_000);
    await redis.flushall();
    redis.disconnect();
    await eventually(async () => {
      const { status } = await ann.http('GET', `/v1/presence?userIds=${people[0]!.id}`);
      expect(status).toBe(503);
    }, 15_000);
    await eventually(async () => {
      expect((await got(...people)).map((one) => one.status)).toEqual(people.map(() => 'away'));
    }, 30_000);
    // those who were offline stay so, too: the watcher looks again by itself
    await pause(2_000);
    expect(eyes.of('presence').slice(quiet)).toEqual([]);
    sockets[0]!.send({ type: 'activity', kind: 'user' });
    await eventually(() => expect(statuses(people[0]!, quiet)).toEqual(['online']), 10_000);
    await Promise.all(sockets.map((socket) => socket.end()));
  });

  it('of the users of a killed gateway: who is back within 15 s caused no frame, the others go offline once', async () => {
    const people: ChatUser[] = [];
    // a few at a time: passwords are hashed
    while (people.length < CROWD)
      people.push(...(await Promise.all([create(), create(), create()])));
    const sockets = await Promise.all(people.map((one) => one.connect('gateway-1')));
    const from = await watch(...people);
    await eventually(() => {
      expect(people.map((one) => statuses(one, from).at(-1))).toEqual(people.map(() => 'away'));
    }, 20_000);
    const redis = createRedis(stack.redisUrl, { name: 'test', log: silent });
    await redisReady(redis, 10_000);
    const left = async (): Promise<string[]> =>
      (await redis.keys('{g:gateway-1}:*')).filter((key) => /:(inbox|routes):/.test(key));
    expect(await left()).toHaveLength(3);
    const conversation = await ann.direct(people.at(-1)!);
    const quiet = eyes.of('presence').length;
    const killedAt = Date.now();
    await stack.node('gateway-1').kill('SIGKILL');
    const back = people.slice(0, CROWD / 2);
    const gone = people.slice(CROWD / 2);
    const away = firstPending(conversation.id, gone.at(-1)!);
    // the other gateway takes over their calls
    const again = back.map(async (one, i) => {
      await pause(i * 250);
      one.bases.reverse();
      const { ticket, url } = await eventually(async () => {
        const found = await one.ticket();
        expect(found.gatewayId).toBe('gateway-2');
        return found;
      }, 10_000);
      return openSocket(url, ticket);
    });
    // a sender learns that a receiver is away, and Redis has nothing of that boot
    expect((await away) - killedAt).toBeLessThan(REAPED_MS);
    expect(Date.now() - killedAt).toBeLessThan(REAPED_MS);
    expect(await left()).toEqual([]);
    const returned = await Promise.all(again);
    expect(Date.now() - killedAt).toBeLessThan(15_000);
    await eventually(() => {
      for (const one of gone) expect(statuses(one, quiet)).toEqual(['offline']);
    }, 30_000);
    for (const one of gone) {
      const [frame] = words(one, quiet);
      const arrivedAt = eyes.arrivals[eyes.frames.indexOf(frame!)]! + performance.timeOrigin;
      expect(arrivedAt - killedAt).toBeGreaterThanOrEqual(15_000);
      expect(arrivedAt - killedAt).toBeLessThanOrEqual(40_000);
      const seenAt = Date.parse(frame!['lastSeenAt'] as string);
      expect(seenAt).toBeGreaterThanOrEqual(killedAt - 2_000);
      expect(seenAt).toBeLessThanOrEqual(killedAt + 50);
    }
    for (const one of back) expect(words(one, quiet)).toEqual([]);
    redis.disconnect();
    await stack.node('gateway-1').restart();
    for (const socket of [...returned, ...sockets]) socket.cut();
  });
});
