import { Redis } from 'ioredis';
import { uuidv7 } from 'uuidv7';
import { KEYS } from '@tidings/common/redis/keys';
import { eventually } from '../support/eventually';
import {
  codeOf,
  newUser,
  StorageFixture,
  type RunningStorage,
  type TestUser,
} from './storage-support';

const SLOW = { timeoutMs: 10_000 };
const COMMAND = { actor: null, origin: 'command test@here' };
const ROUNDS = 10;

describe('roles and disabled accounts, over two storages', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let two: RunningStorage;
  let redis: Redis;

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    [one, two] = await Promise.all([fixture.storage('storage-1'), fixture.storage('storage-2')]);
    redis = new Redis(fixture.servers.redisUrl);
  }, 240_000);
  afterAll(async () => {
    redis?.disconnect();
    await fixture?.stop();
  });
  beforeEach(() => fixture.rows('DELETE FROM user_roles'));

  const asUser = (user: TestUser) => ({ actor: user.id, origin: '192.0.2.1' });
  const role = (
    by: { actor: string | null; origin: string },
    of: TestUser,
    granted: boolean,
    storage = one,
  ) => storage.rpc.call('admin.role', { by, whom: { userId: of.id }, role: 'operator', granted });
  const login = ({ username, password }: TestUser, storage = one) =>
    storage.rpc.call('accounts.login', { username, password }, SLOW);
  const setDisabled = (of: TestUser, disabled: boolean, storage = two) => {
    const input = { by: COMMAND, whom: { username: of.username } };
    return storage.rpc.call(disabled ? 'admin.disable' : 'admin.enable', input, SLOW);
  };
  const acts = (of: TestUser) =>
    fixture.rows<{ action: string; actor: string | null; origin: string; changed: boolean }>(
      'SELECT action, actor, origin, changed FROM audit WHERE subject = $1 ORDER BY id',
      [of.id],
    );

  it('each act leaves a row of who, what, whom, from where and when', async () => {
    const [ann, bob] = [await newUser(one.rpc, 'ann'), await newUser(one.rpc, 'bob')];
    await role(COMMAND, ann, true);
    await role(asUser(ann), bob, true);
    await role(asUser(ann), bob, true);
    const rows = await fixture.rows(
      `SELECT action, actor, origin, subject, changed, detail, at > now() - interval '1 minute' AS now
       FROM audit WHERE subject = $1 ORDER BY id`,
      [bob.id],
    );
    const row = { action: 'grant', actor: ann.id, origin: '192.0.2.1', subject: bob.id, now: true };
    const detail = { role: 'operator' };
    expect(rows).toEqual([
      { ...row, changed: true, detail },
      { ...row, changed: false, detail },
    ]);
    expect(await acts(ann)).toEqual([
      { action: 'grant', actor: null, origin: COMMAND.origin, changed: true },
    ]);
  });

  it('are not for a plain user, and what is refused leaves nothing', async () => {
    const [eve, bob] = [await newUser(one.rpc, 'eve'), await newUser(one.rpc, 'bob')];
    const by = asUser(eve);
    const whom = { userId: bob.id };
    const calls = [
      one.rpc.call('admin.roles', { by, limit: 10 }),
      one.rpc.call('admin.role', { by, whom: { userId: eve.id }, role: 'operator', granted: true }),
      one.rpc.call('admin.role', { by, whom, role: 'operator', granted: false }),
      one.rpc.call('admin.disable', { by, whom }),
      one.rpc.call('admin.enable', { by, whom }),
      one.rpc.call('admin.end', { by, whom }),
      one.rpc.call('admin.sessions', { by, whom }),
      // who does not exist is told no more
      one.rpc.call('admin.disable', { by, whom: { userId: uuidv7() } }),
    ];
    expect(await Promise.all(calls.map(codeOf))).toEqual(calls.map(() => 'forbidden'));
    expect([await acts(eve), await acts(bob)]).toEqual([[], []]);
    expect(await codeOf(login(bob))).toBe('ok');
  });

  it('of the last operator stay, whoever asks and however many at once', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      await fixture.rows('DELETE FROM user_roles');
      const [ann, bob] = [await newUser(one.rpc, 'ann'), await newUser(one.rpc, 'bob')];
      await role(COMMAND, ann, true);
      expect(await codeOf(role(COMMAND, ann, false))).toBe('not_allowed');
      expect(await codeOf(setDisabled(ann, true))).toBe('not_allowed');
      await role(COMMAND, bob, true);
      const codes = await Promise.all([
        codeOf(role(asUser(ann), bob, false, one)),
        codeOf(
          round % 2 === 0
            ? role(asUser(bob), ann, false, two)
            : two.rpc.call('admin.disable', { by: asUser(bob), whom: { userId: ann.id } }),
        ),
      ]);
      // the second to come is no operator any more
      expect(codes.sort()).toEqual(['forbidden', 'ok']);
      const left = await fixture.rows(
        `SELECT 1 FROM user_roles r JOIN users u ON u.id = r.user_id
         WHERE role = 'operator' AND u.disabled_at IS NULL`,
      );
      expect(left).toHaveLength(1);
    }
  });

  it('a disabled operator is none', async () => {
    const [ann, bob] = [await newUser(one.rpc, 'ann'), await newUser(one.rpc, 'bob')];
    await role(COMMAND, ann, true);
    await role(COMMAND, bob, true);
    await setDisabled(bob, true);
    expect(await codeOf(role(asUser(bob), bob, true))).toBe('forbidden');
    expect(await codeOf(role(COMMAND, ann, false))).toBe('not_allowed');
    const { items } = await one.rpc.call('admin.roles', { by: asUser(ann), limit: 10 });
    expect(items.map(({ username, disabledAt }) => [username, disabledAt !== undefined])).toEqual(
      expect.arrayContaining([
        [ann.username, false],
        [bob.username, true],
      ]),
    );
  });

  it('a login beside a disabling ends logged out, however the two meet', async () => {
    const ann = await newUser(one.rpc, 'ann');
    const outcomes = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      const first = codeOf(login(ann, round % 2 === 0 ? one : two));
      const disabling = new Promise((resolve) => setTimeout(resolve, round * 20)).then(() =>
        setDisabled(ann, true),
      );
      const [code] = await Promise.all([first, disabling]);
      outcomes.add(code);
      expect(['ok', 'forbidden']).toContain(code);
      const live = await fixture.rows('SELECT 1 FROM devices WHERE user_id = $1 AND logged_in', [
        ann.id,
      ]);
      expect(live).toEqual([]);
      expect(await codeOf(login(ann))).toBe('forbidden');
      await setDisabled(ann, false);
    }
    expect(outcomes.size).toBeGreaterThan(0);
    expect(await codeOf(login(ann))).toBe('ok');
  });

  it('tells how sessions ended, in PostgreSQL and Redis', async () => {
    const ann = await newUser(one.rpc, 'ann');
    const [phone, laptop, tablet] = [await login(ann), await login(ann), await login(ann)];
    const device = ({ userId, deviceId }: typeof phone) => ({ userId, deviceId });
    await one.rpc.call('accounts.logout', device(phone));
    const end = { by: COMMAND, whom: { userId: ann.id }, deviceId: laptop.deviceId };
    expect(await one.rpc.call('admin.end', end)).toMatchObject({ changed: true });
    expect(await one.rpc.call('admin.end', end)).toMatchObject({ changed: false });
    await setDisabled(ann, true);
    const reasons = [phone, laptop, tablet].map(
      async (one) => (await two.rpc.call('accounts.ended', device(one))).reason,
    );
    expect(await Promise.all(reasons)).toEqual(['logged_out', 'logged_out', 'disabled']);
    const field = await redis.hget(KEYS.logins(ann.id), `${tablet.deviceId}:end`);
    const generation = await redis.hget(KEYS.logins(ann.id), tablet.deviceId);
    expect(field).toBe(`${generation} disabled`);
    const { items } = await one.rpc.call('accounts.disabled', { userIds: [ann.id, uuidv7()] });
    expect(items).toEqual([ann.id]);
    // the device that is logged in again has no end
    await setDisabled(ann, false);
    const again = await one.rpc.call(
      'accounts.login',
      { username: ann.username, password: ann.password, device: { id: tablet.deviceId } },
      SLOW,
    );
    expect((await two.rpc.call('accounts.ended', device(again))).reason).toBe('logged_out');
  });

  it('keeps acts for a year', async () => {
    const ann = await newUser(one.rpc, 'ann');
    await role(COMMAND, ann, true);
    await role(COMMAND, ann, true);
    await fixture.rows(
      `UPDATE audit SET at = now() - interval '366 days'
       WHERE id = (SELECT min(id) FROM audit WHERE subject = $1)`,
      [ann.id],
    );
    const swept = await fixture.storage('storage-3', { EXPIRY_SWEEP_SECONDS: '0.2' });
    try {
      await eventually(async () => expect(await acts(ann)).toHaveLength(1), 30_000);
    } finally {
      await swept.stop();
    }
  });
});
