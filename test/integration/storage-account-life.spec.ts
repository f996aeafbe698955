import { Redis } from 'ioredis';
import { MemberCache } from '@tidings/common/redis/members';
import { createRedis, type RedisClient } from '@tidings/common/redis/client';
import { KEYS } from '@tidings/common/redis/keys';
import { createLogger } from '@tidings/common/runtime/logger';
import { uuidv7 } from 'uuidv7';
import { eventually } from '../support/eventually';
import {
  codeOf,
  newUser,
  type RunningStorage,
  StorageFixture,
  type TestUser,
} from './storage-support';

const NEXT = 'another staple, other horses';
/** Password hashing shares two cores with everything else here. */
const SLOW = { timeoutMs: 20_000 };

describe('storage: password, devices, blocks', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let two: RunningStorage;
  let redis: Redis;
  let members: MemberCache;
  let client: RedisClient;

  const login = ({ username, password }: TestUser, name?: string) =>
    one.rpc.call('accounts.login', { username, password, device: { name } }, SLOW);
  type Grant = Awaited<ReturnType<typeof login>>;
  const change = (from: Grant, current: string, next = NEXT, storage = one) => {
    const { userId, deviceId, generation } = from;
    const input = { userId, deviceId, generation, current, next };
    return storage.rpc.call('accounts.password', input, SLOW);
  };
  const isLoggedIn = async ({ userId, deviceId }: Grant): Promise<boolean> =>
    (await codeOf(two.rpc.call('accounts.session', { userId, deviceId }))) === 'ok';
  const inRedis = async ({ userId, deviceId }: Grant): Promise<number> =>
    Number(await redis.hget(KEYS.logins(userId), deviceId));

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    [one, two] = await Promise.all([fixture.storage('storage-1'), fixture.storage('storage-2')]);
    redis = new Redis(fixture.servers.redisUrl);
    const log = createLogger({ service: 'test', nodeId: 'test', level: 'silent' });
    client = createRedis(fixture.servers.redisUrl, { name: 'test', log });
    members = new MemberCache(client);
  }, 240_000);

  afterAll(async () => {
    redis?.disconnect();
    client?.disconnect();
    await fixture?.stop();
  });

  describe('a change of the password', () => {
    it('ends every device but the calling one, in PostgreSQL and Redis', async () => {
      const user = await newUser(one.rpc, 'change');
      const other = await login(await newUser(one.rpc, 'bystander'));
      const [phone, laptop, tablet] = [await login(user), await login(user), await login(user)];
      const { ended } = await change(phone, user.password);
      expect(ended.map((session) => session.deviceId).sort()).toEqual(
        [laptop.deviceId, tablet.deviceId].sort(),
      );
      expect(await Promise.all([phone, laptop, tablet, other].map(isLoggedIn))).toEqual([
        true,
        false,
        false,
        true,
      ]);
      expect(await inRedis(laptop)).toBeGreaterThan(laptop.generation);
      expect(await inRedis(phone)).toBe(phone.generation);
      const { refreshToken } = laptop;
      await expect(codeOf(two.rpc.call('accounts.refresh', { refreshToken }))).resolves.toBe(
        'refresh_expired',
      );
      await two.rpc.call('accounts.refresh', { refreshToken: phone.refreshToken });
      await expect(codeOf(login(user))).resolves.toBe('bad_credentials');
      await expect(codeOf(login({ ...user, password: NEXT }))).resolves.toBe('ok');
    });

    it.each<[string, (user: TestUser) => [current: string, next: string], string]>([
      ['a wrong current password', () => ['wrong one', NEXT], 'bad_credentials'],
      [
        'an endless current password',
        ({ password }) => [password + 'x'.repeat(2_000), NEXT],
        'bad_credentials',
      ],
      ['a short new one', ({ password }) => [password, 'short'], 'weak_password'],
      ['a common new one', ({ password }) => [password, 'Password123'], 'weak_password'],
      [
        'the own name',
        ({ password, username }) => [password, username.toUpperCase()],
        'weak_password',
      ],
      [
        'a new one that is too long',
        ({ password }) => [password, 'x'.repeat(1_025)],
        'invalid_request',
      ],
    ])('with %s changes nothing', async (_what, passwords, code) => {
      const user = await newUser(one.rpc, 'unchanged');
      const [phone, laptop] = [await login(user), await login(user)];
      await expect(codeOf(change(phone, ...passwords(user)))).resolves.toBe(code);
      expect(await isLoggedIn(laptop)).toBe(true);
      await expect(codeOf(login(user))).resolves.toBe('ok');
    });

    it('is not for a device that is logged out', async () => {
      const user = await newUser(one.rpc, 'out');
      const [phone, laptop] = [await login(user), await login(user)];
      await one.rpc.call('accounts.logout', { userId: phone.userId, deviceId: phone.deviceId });
      await expect(codeOf(change(phone, user.password))).resolves.toBe('unauthorized');
      expect(await isLoggedIn(laptop)).toBe(true);
      const stranger = { ...laptop, userId: uuidv7() };
      await expect(codeOf(change(stranger, user.password))).resolves.toBe('unauthorized');
    });

    it('may be repeated after a lost answer', async () => {
      const user = await newUser(one.rpc, 'again');
      const phone = await login(user);
      const codes = [];
      for (const storage of [one, two, one]) {
        codes.push(await codeOf(change(phone, user.password, NEXT, storage)));
      }
      expect(codes).toEqual(['ok', 'ok', 'ok']);
    });

    it('made by two devices at once is won by one of them', async () => {
      const user = await newUser(one.rpc, 'race');
      const devices = [await login(user), await login(user)];
      const codes = await Promise.all([
        codeOf(change(devices[0]!, user.password, 'the first new one', one)),
        codeOf(change(devices[1]!, user.password, 'the second new one', two)),
      ]);
      expect(codes.filter((code) => code === 'ok')).toHaveLength(1);
      const winner = codes.indexOf('ok');
      expect(codes[1 - winner]).toBe('bad_credentials');
      expect(await Promise.all(devices.map(isLoggedIn))).toEqual([winner === 0, winner === 1]);
    });

    it('leaves no login alive that was made with the old one meanwhile', async () => {
      const user = await newUser(one.rpc, 'meanwhile');
      const phone = await login(user);
      const logins = Array.from({ length: 6 }, () =>
        login(user).catch((error: { code: string }) => error.code),
      );
      await change(phone, user.password, NEXT, two);
      for (const outcome of await Promise.all(logins)) {
        if (typeof outcome === 'string') expect(outcome).toBe('bad_credentials');
        else expect(await isLoggedIn(outcome)).toBe(false);
      }
      expect(await isLoggedIn(phone)).toBe(true);
    });
  });

  describe('devices', () => {
    it('are those that are logged in, the last used first', async () => {
      const user = await newUser(one.rpc, 'devices');
      const [phone, laptop] = [await login(user, 'phone'), await login(user)];
      const { userId } = phone;
      const list = async () => (await two.rpc.call('devices.list', { userId })).items;
      expect(await list()).toEqual([
        { id: laptop.deviceId, createdAt: expect.any(String), lastSeenAt: expect.any(String) },
        expect.objectContaining({ id: phone.deviceId, name: 'phone' }),
      ]);
      await one.rpc.call('accounts.refresh', { refreshToken: phone.refreshToken });
      expect((await list())[0]!.id).toBe(phone.deviceId);
      await one.rpc.call('accounts.logout', { userId, deviceId: laptop.deviceId });
      expect((await list()).map((device) => device.id)).toEqual([phone.deviceId]);
    });

    it('can be logged out from another one, again and again, but not those of others', async () => {
      const user = await newUser(one.rpc, 'remove');
      const [phone, laptop] = [await login(user), await login(user)];
      const { userId, deviceId: by } = phone;
      const remove = (storage: RunningStorage, owner: string, deviceId: string) =>
        storage.rpc.call('devices.remove', { userId: owner, deviceId, by });
      const eve = await newUser(one.rpc, 'eve');
      for (const [owner, deviceId] of [
        [eve.id, laptop.deviceId],
        [userId, uuidv7()],
      ] as const) {
        await expect(codeOf(remove(one, owner, deviceId))).resolves.toBe('not_found');
      }
      expect(await isLoggedIn(laptop)).toBe(true);
      const first = await remove(one, userId, laptop.deviceId);
      expect(first.generation).toBeGreaterThan(laptop.generation);
      expect(await inRedis(laptop)).toBe(first.generation);
      expect(await remove(two, userId, laptop.deviceId)).toEqual(first);
      expect(await Promise.all([phone, laptop].map(isLoggedIn))).toEqual([true, false]);
    });
  });

  describe('blocks', () => {
    const pair = () => Promise.all([newUser(one.rpc, 'ann'), newUser(one.rpc, 'bob')]);
    const direct = (user: TestUser, other: TestUser, storage = one) =>
      storage.rpc.call('conversations.direct', { userId: user.id, otherId: other.id });
    const put = (user: TestUser, other: TestUser, storage = one) =>
      storage.rpc.call('blocks.put', { userId: user.id, blockedId: other.id });
    const remove = (user: TestUser, other: TestUser, storage = one) =>
      storage.rpc.call('blocks.delete', { userId: user.id, blockedId: other.id });
    const routing = async (conversationId: string) =>
      (await two.rpc.call('conversations.routing', { conversations: [{ conversationId }] }))
        .items[0]!;

    it('are listed by name, page by page', async () => {
      const ann = await newUser(one.rpc, 'ann');
      const others = [];
      for (let n = 0; n < 3; n++) others.push(await newUser(one.rpc, `listed${2 - n}`));
      for (const other of others) expect((await put(ann, other)).added).toBe(true);
      expect((await put(ann, others[0]!)).added).toBe(false);
      const list = (cursor?: string) =>
        two.rpc.call('blocks.list', { userId: ann.id, cursor, limit: 2 });
      const first = await list();
      const second = await list(first.cursor);
      const names = [...first.items, ...second.items].map((item) => item.user.username);
      expect(names).toEqual(others.map((other) => other.username).reverse());
      expect(second.cursor).toBeUndefined();
      expect(first.items[0]).toEqual({
        user: { id: others[2]!.id, username: names[0], firstName: 'listed0' },
        blockedAt: expect.any(String),
      });
      expect(await remove(ann, others[0]!)).toEqual({ removed: true });
      expect(await remove(ann, others[0]!)).toEqual({ removed: false });
    });

    it('of oneself or of nobody are refused', async () => {
      const ann = await newUser(one.rpc, 'ann');
      await expect(codeOf(put(ann, ann))).resolves.toBe('invalid_request');
      await expect(codeOf(put(ann, { ...ann, id: uuidv7() }))).resolves.toBe('not_found');
    });

    it('reach routing data and Redis before they are answered, and end there as well', async () => {
      const [ann, bob] = await pair();
      const { id } = (await direct(ann, bob)).conversation;
      expect(await routing(id)).not.toHaveProperty('blocked');
      await put(ann, bob);
      expect(await members.get([id])).toMatchObject([{ blocked: [bob.id] }]);
      expect(await routing(id)).toMatchObject({ blocked: [bob.id] });
      await put(bob, ann, two);
      expect((await routing(id)).blocked!.sort()).toEqual([ann.id, bob.id].sort());
      await remove(ann, bob, two);
      expect(await members.get([id])).toMatchObject([{ blocked: [ann.id] }]);
      await remove(bob, ann);
      expect((await members.get([id]))[0]).not.toHaveProperty('blocked');
      // What orders the copies: each change has a version of its own.
      expect(await routing(id)).toMatchObject({ version: 1, blocksVersion: 4 });
    });

    it('let the blocked one find the old conversation, but make no new one', async () => {
      const [ann, bob] = await pair();
      const carl = await newUser(one.rpc, 'carl');
      const { id } = (await direct(ann, bob)).conversation;
      await put(ann, bob);
      await put(ann, carl);
      expect((await direct(bob, ann)).conversation.id).toBe(id);
      await expect(codeOf(direct(carl, ann))).resolves.toBe('blocked');
      const made = await direct(ann, carl);
      expect(made.routing.blocked).toEqual([carl.id]);
    });

    it('hold whatever order they and the conversation come in', async () => {
      const outcomes = new Set<string>();
      // The block comes first in half of the rounds, the conversation in the others, by some milliseconds.
      for (let round = 0; round < 12; round++) {
        const [ann, bob] = await pair();
        const make = () => codeOf(direct(bob, ann, two));
        const block = () => codeOf(put(ann, bob));
        const [first, second] = round % 2 === 0 ? [block, make] : [make, block];
        const begun = first();
        await new Promise((resolve) => setTimeout(resolve, round));
        const ends = await Promise.all([begun, second()]);
        const [made, blocked] = round % 2 === 0 ? ends.reverse() : ends;
        expect(blocked).toBe('ok');
        expect(['ok', 'blocked']).toContain(made);
        outcomes.add(made!);
        if (made === 'blocked') continue;
        const { id } = (await direct(ann, bob)).conversation;
        expect(await routing(id)).toMatchObject({ blocked: [bob.id] });
        // Whoever copied it before the block has not written over what came after.
        await eventually(async () => {
          expect(await members.get([id])).toMatchObject([{ blocked: [bob.id] }]);
        });
      }
      expect([...outcomes].sort()).toEqual(['blocked', 'ok']);
    });

    it('say unavailable without Redis, stand all the same, and are told when repeated', async () => {
      const [ann, bob] = await pair();
      const { id } = (await direct(ann, bob)).conversation;
      await fixture.servers.redis.kill();
      await expect(codeOf(put(ann, bob))).resolves.toBe('unavailable');
      expect(await routing(id)).toMatchObject({ blocked: [bob.id] });
      await fixture.servers.redis.restart();
      await eventually(async () => expect(await codeOf(put(ann, bob))).toBe('ok'));
      await eventually(async () => {
        expect(await members.get([id])).toMatchObject([{ blocked: [bob.id] }]);
      });
    });
  });

  it('tells whether a contact is new and whether it is mutual', async () => {
    const [ann, bob] = await Promise.all([newUser(one.rpc, 'ann'), newUser(one.rpc, 'bob')]);
    const put = (user: TestUser, contact: TestUser) =>
      one.rpc.call('contacts.put', { userId: user.id, contactId: contact.id });
    const remove = (user: TestUser, contact: TestUser) =>
      one.rpc.call('contacts.delete', { userId: user.id, contactId: contact.id });
    expect(await put(ann, bob)).toMatchObject({ added: true, mutual: false });
    expect(await put(ann, bob)).toMatchObject({ added: false, mutual: false });
    expect(await put(bob, ann)).toMatchObject({ added: true, mutual: true });
    expect(await remove(bob, ann)).toMatchObject({ removed: true, mutual: true });
    expect(await remove(bob, ann)).toMatchObject({ removed: false, mutual: true });
  });
});
