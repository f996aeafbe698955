import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { LIMITS } from '@tidings/protocol/limits';
import { KEYS } from '@tidings/common/redis/keys';
import { uuidv7 } from 'uuidv7';
import { eventually } from '../support/eventually';
import {
  codeOf,
  newUser,
  type RunningStorage,
  StorageFixture,
  type StorageRpc,
} from './storage-support';

const PASSWORD = 'correct staple, battery horse';
/** Password hashing shares two cores with everything else here. */
const SLOW = { timeoutMs: 20_000 };

const bodyOf = (username: string, extra: object = {}) => ({
  userId: uuidv7(),
  username,
  firstName: 'Test',
  password: PASSWORD,
  email: `${randomBytes(6).toString('hex')}@example.org`,
  ...extra,
});

describe('storage: accounts', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let two: RunningStorage;
  let redis: Redis;

  const register = (rpc: StorageRpc, username: string, extra: object = {}) =>
    rpc.call('accounts.register', bodyOf(username, extra), SLOW);
  const login = (username: string, device?: { id?: string; name?: string }) =>
    one.rpc.call('accounts.login', { username, password: PASSWORD, device }, SLOW);
  const refresh = (refreshToken: string) => one.rpc.call('accounts.refresh', { refreshToken });

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    [one, two] = await Promise.all([fixture.storage('storage-1'), fixture.storage('storage-2')]);
    redis = new Redis(fixture.servers.redisUrl);
  }, 240_000);

  afterAll(async () => {
    redis?.disconnect();
    await fixture?.stop();
  });

  describe('registration', () => {
    it('stores the name as typed and no password', async () => {
      const name = 'Jos\u00e9-Ａ';
      const user = await register(one.rpc, name);
      expect(user).toEqual({ id: expect.any(String), username: name, firstName: 'Test' });
      const rows = await fixture.rows<{ username_key: string; password_hash: string }>(
        'SELECT username_key, password_hash FROM users WHERE id = $1',
        [user.id],
      );
      expect(rows[0]!.username_key).toBe('jos\u00e9-a');
      expect(rows[0]!.password_hash).toMatch(/^\$argon2id\$/);
    });

    it('repeated with the same id finds its own account', async () => {
      const body = bodyOf('repeated-one');
      const users = await Promise.all(
        [one, two, one, two].map((s) => s.rpc.call('accounts.register', body, SLOW)),
      );
      expect(new Set(users.map((u) => u.id))).toEqual(new Set([body.userId]));
    });

    it('repeated with the same data and password finds the account, for ten minutes', async () => {
      const body = bodyOf('lost-answer', { lastName: 'Last' });
      const again = (changes: object = {}) =>
        two.rpc.call('accounts.register', { ...body, userId: uuidv7(), ...changes }, SLOW);
      const made = await one.rpc.call('accounts.register', body, SLOW);
      await expect(again()).resolves.toEqual(made);
      const otherForm = { username: 'LOST-answer', email: body.email.toUpperCase() };
      await expect(again(otherForm)).resolves.toEqual(made);
      for (const changes of [
        { password: 'another staple, battery horse' },
        { firstName: 'Other' },
        { lastName: undefined },
        { email: `x${body.email}` },
      ]) {
        await expect(codeOf(again(changes))).resolves.toBe('username_taken');
      }
      await expect(codeOf(again({ username: 'lost-answer-2' }))).resolves.toBe('email_taken');
      const all = await Promise.all([again(), again(), again(), again()]);
      expect(new Set(all.map(({ id }) => id))).toEqual(new Set([made.id]));
      await fixture.rows(
        "UPDATE users SET created_at = created_at - interval '11 minutes' WHERE id = $1",
        [made.id],
      );
      await expect(codeOf(again())).resolves.toBe('username_taken');
    });

    it.each([
      ['case', 'TAKEN-jose\u0301', 'username_taken'],
      ['composition', 'taken-jos\u00e9', 'username_taken'],
      ['width', 'ｔａｋｅｎ-jos\u00e9', 'username_taken'],
      ['a space', 'taken jose', 'username_invalid'],
      ['another script inside', 'tаken-jose', 'username_invalid'],
      ['SQL', "x'; DROP TABLE users;--", 'username_invalid'],
      ['NUL', 'taken\u0000', 'username_invalid'],
      ['a line break', 'taken\r\nadmin', 'username_invalid'],
    ])('judges a name that differs by %s', async (_what, name, code) => {
      await register(one.rpc, 'taken-jos\u00e9').catch(() => undefined);
      await expect(codeOf(register(two.rpc, name))).resolves.toBe(code);
    });

    it('refuses weak passwords, taken addresses in any case, and leaves nothing behind', async () => {
      await register(one.rpc, 'mail-owner', { email: 'Owner@Example.org' });
      const taken = register(two.rpc, 'mail-thief', { email: 'owner@example.ORG' });
      await expect(codeOf(taken)).resolves.toBe('email_taken');
      const weak = register(one.rpc, 'mail-weak', { password: 'Password123' });
      await expect(codeOf(weak)).resolves.toBe('weak_password');
      const names = ['mail-thief', 'mail-weak'];
      expect(await fixture.rows('SELECT 1 FROM users WHERE username = ANY ($1)', [names])).toEqual(
        [],
      );
    });

    it('of one name 50 times at once, in variants, on two instances, makes one account', async () => {
      const variants = ['racer-é', 'RACER-É', 'racer-e\u0301', 'Ｒａｃｅｒ-é', 'rAcEr-E\u0301'];
      // a machine that is slow to hash says so: then the same is asked once more
      const outcome = async (rpc: StorageRpc, username: string): Promise<string> => {
        const body = bodyOf(username);
        let code = '';
        await eventually(async () => {
          code = await codeOf(rpc.call('accounts.register', body, SLOW));
          expect(['busy', 'unavailable']).not.toContain(code);
        }, 50_000);
        return code;
      };
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          outcome(i % 2 ? one.rpc : two.rpc, variants[i % variants.length]!),
        ),
      );
      expect(outcomes.filter((code) => code === 'ok')).toHaveLength(1);
      expect(outcomes.filter((code) => code === 'username_taken')).toHaveLength(49);
      const rows = await fixture.rows(`SELECT 1 FROM users WHERE username_key = 'racer-\u00e9'`);
      expect(rows).toHaveLength(1);
    });
  });

  describe('login', () => {
    it('says the same about a wrong password and an unknown name', async () => {
      await register(one.rpc, 'login-user');
      for (const username of ['login-user', 'login-nobody', "x' OR 1=1 --", 'a\u0000b']) {
        const call = one.rpc.call('accounts.login', { username, password: 'wrong one' }, SLOW);
        await expect(codeOf(call)).resolves.toBe('bad_credentials');
      }
      const long = { username: 'login-user', password: PASSWORD + 'x'.repeat(2_000) };
      await expect(codeOf(one.rpc.call('accounts.login', long, SLOW))).resolves.toBe(
        'bad_credentials',
      );
    });

    it('opens a session that Redis knows, and logout ends it', async () => {
      const user = await newUser(one.rpc, 'session');
      const grant = await login(user.username.toUpperCase());
      const { userId, deviceId, generation } = grant;
      expect(grant).toMatchObject({ userId: user.id, sequence: 1, user: { id: user.id } });
      const inRedis = () => redis.hget(KEYS.logins(userId), deviceId).then(Number);
      expect(await inRedis()).toBe(generation);
      const session = await two.rpc.call('accounts.session', { userId, deviceId });
      expect(session).toEqual({ userId, deviceId, generation });
      await two.rpc.call('accounts.logout', { userId, deviceId });
      expect(await inRedis()).toBeGreaterThan(generation);
      await expect(codeOf(one.rpc.call('accounts.session', { userId, deviceId }))).resolves.toBe(
        'not_found',
      );
      await expect(codeOf(refresh(grant.refreshToken))).resolves.toBe('refresh_expired');
    });

    it('takes a device id that is unknown or the own one, never a foreign one', async () => {
      const [ann, bob] = await Promise.all([newUser(one.rpc), newUser(one.rpc)]);
      const id = uuidv7();
      const first = await login(ann.username, { id, name: 'phone' });
      const second = await login(ann.username, { id });
      expect(second.generation).toBeGreaterThan(first.generation);
      await expect(codeOf(refresh(first.refreshToken))).resolves.toBe('refresh_expired');
      await expect(codeOf(login(bob.username, { id }))).resolves.toBe('invalid_request');
      const [row] = await fixture.rows('SELECT user_id, name FROM devices WHERE id = $1', [id]);
      expect(row).toEqual({ user_id: ann.id, name: 'phone' });
    });

    it('logs out the device that was not used for longest beyond the limit', async () => {
      const user = await newUser(one.rpc, 'devices');
      const grants = [];
      for (let i = 0; i < LIMITS.devicesPerUser; i++) grants.push(await login(user.username));
      // The first one is used again: the second is the oldest now.
      const again = await refresh(grants[0]!.refreshToken);
      await login(user.username);
      const devices = [again, ...grants.slice(1)];
      await eventually(async () => {
        const known = await Promise.all(
          devices.map(({ userId, deviceId }) =>
            codeOf(one.rpc.call('accounts.session', { userId, deviceId })),
          ),
        );
        expect(known).toEqual(known.map((_, i) => (i === 1 ? 'not_found' : 'ok')));
      });
    });
  });

  describe('refresh', () => {
    const grantOf = async () => login((await newUser(one.rpc, 'refresh')).username);

    it('keeps the old token until the new pair is used', async () => {
      const first = await grantOf();
      const lost = await refresh(first.refreshToken);
      const second = await refresh(first.refreshToken);
      expect(second.sequence).toBeGreaterThan(lost.sequence);
      expect(second.generation).toBe(first.generation);
      await refresh(second.refreshToken);
      await expect(codeOf(refresh(first.refreshToken))).resolves.toBe('refresh_reused');
    });

    it('counts a confirmed access token as use, and re-use revokes the family', async () => {
      const first = await grantOf();
      const second = await refresh(first.refreshToken);
      const { userId, deviceId, sequence } = second;
      await two.rpc.call('accounts.confirm', { userId, deviceId, sequence });
      await expect(codeOf(refresh(first.refreshToken))).resolves.toBe('refresh_reused');
      await expect(codeOf(refresh(second.refreshToken))).resolves.toBe('refresh_expired');
      await expect(codeOf(one.rpc.call('accounts.session', { userId, deviceId }))).resolves.toBe(
        'not_found',
      );
      const inRedis = Number(await redis.hget(KEYS.logins(userId), deviceId));
      expect(inRedis).toBeGreaterThan(first.generation);
    });

    it.each([
      ['an unknown token', 'x'],
      ['SQL', "'; DELETE FROM refresh_tokens;--"],
      ['NUL', 'a\u0000b'],
    ])('refuses %s', async (_what, token) => {
      await expect(codeOf(refresh(token))).resolves.toBe('refresh_expired');
    });

    it('is not confused by confirmations of others or of the future', async () => {
      const first = await grantOf();
      const { userId, deviceId } = first;
      await one.rpc.call('accounts.confirm', { userId, deviceId, sequence: 99 });
      await one.rpc.call('accounts.confirm', { userId: uuidv7(), deviceId, sequence: 1 });
      await expect(codeOf(refresh(first.refreshToken))).resolves.toBe('ok');
    });

    it('keeps no token in clear', async () => {
      const grant = await grantOf();
      const rows = await fixture.rows<{ t: string }>('SELECT t::text FROM refresh_tokens t');
      expect(rows.some((row) => row.t.includes(grant.refreshToken))).toBe(false);
    });
  });

  it('shows oneself with the address, others without', async () => {
    const user = await newUser(one.rpc, 'shown');
    const me = await one.rpc.call('accounts.me', { userId: user.id });
    expect(Object.keys(me).sort()).toEqual([
      'createdAt',
      'email',
      'firstName',
      'id',
      'privacy',
      'username',
    ]);
    const { items } = await one.rpc.call('users.get', { ids: [user.id, uuidv7()] });
    expect(items).toEqual([{ id: user.id, username: user.username, firstName: 'shown' }]);
    await expect(codeOf(one.rpc.call('accounts.me', { userId: uuidv7() }))).resolves.toBe(
      'not_found',
    );
  });

  it('works without Redis, which learns of it later', async () => {
    const user = await newUser(one.rpc, 'noredis');
    const { userId, deviceId, generation } = await login(user.username);
    await fixture.servers.redis.kill();
    await one.rpc.call('accounts.logout', { userId, deviceId });
    await fixture.servers.redis.restart();
    await eventually(async () => {
      const known = Number(await redis.hget(KEYS.logins(userId), deviceId));
      expect(known).toBeGreaterThan(generation);
    });
  });

  it('says unavailable within bounded time while PostgreSQL hangs or is gone', async () => {
    const user = await newUser(one.rpc, 'away');
    const { postgres } = fixture.servers;
    const ask = async (): Promise<[string, number]> => {
      const startedAt = performance.now();
      const options = { timeoutMs: 10_000 };
      const code = await codeOf(one.rpc.call('accounts.me', { userId: user.id }, options));
      return [code, performance.now() - startedAt];
    };
    await fixture.rows('BEGIN');
    await fixture.rows('LOCK TABLE users IN ACCESS EXCLUSIVE MODE');
    // More callers than connections: some wait for a connection, the others for the lock.
    const hung = await Promise.all(Array.from({ length: 20 }, ask));
    await fixture.rows('ROLLBACK');
    await postgres.kill();
    const gone = await ask();
    await postgres.restart();
    for (const [code, ms] of [...hung, gone]) {
      expect(code).toBe('unavailable');
      expect(ms).toBeLessThan(9_000);
    }
    await eventually(async () => expect(await ask()).toEqual(['ok', expect.any(Number)]));
  });
});
