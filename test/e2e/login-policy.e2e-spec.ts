import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import type { LoginAnswer } from '@tidings/protocol/http';
import { pause } from '@tidings/common/runtime/waiting';
import { nodeClient } from '@tidings/sdk/node';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import type { TestSocket } from '../support/test-socket';
import { startTestStack } from '../support/test-stack';

const GATEWAYS = 3;
const LOGINS = 50;
/** Most devices of a user. */
const DEVICES = 10;
/** A renewal comes to each route within 20 s. */
const RENEWAL_MS = 45_000;
/** How long registrations and logins wait for PostgreSQL; one that is away for less is not told of. */
const MAX_OUTAGE_MS = 5_000;
const AWAY_MS = 3_000;
/** Accounts that log in meanwhile: of one alone, more would wait than one network's line for an account holds. */
const KNOWN = 4;
/** So many calls come before PostgreSQL goes away, and are the last; where half of both take less than this, others leave time to hash. */
const AROUND = 40;
const CALM_MS = 100;

/** Restarted services, logins and registrations wait for one another on a busy machine. */
const PATIENCE_MS = 240_000;

/** What became of a registration, or of a login (no name), and what it was told before. */
interface Outcome {
  name: string | null;
  status: number;
  /** How long the last answer took. */
  ms: number;
  refusals: { code: string | undefined; ms: number }[];
}

describe('logins and registrations at once, on three gateways and two storages', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let sql: Client;
  let count = 0;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      services: { gateway: GATEWAYS, session: 1, presence: 1, storage: 2 },
    }));
    await connectSql();
  }, PATIENCE_MS);
  afterAll(async () => {
    await sql?.end().catch(() => undefined);
    await stop?.();
  });

  async function connectSql(): Promise<void> {
    sql = new Client({ connectionString: stack.databaseUrl });
    sql.on('error', () => undefined);
    await sql.connect();
  }
  const setPolicy = async (policy: string) => {
    for (const node of Object.values(stack.nodes)) {
      if (node.service !== 'gateway' && node.service !== 'storage') continue;
      await node.restart({ LOGIN_POLICY: policy });
    }
    for (const base of stack.gatewayUrls) {
      const server = (await (await fetch(`${base}/v1`)).json()) as { policy: string };
      expect(server.policy).toBe(policy);
    }
  };
  /** Asks gateway after gateway; a retryable refusal is asked again, as the protocol says. */
  const insist = async <T>(n: number, body: object, path = '/v1/auth/login') => {
    for (let turn = 0; ; turn++) {
      const base = stack.gatewayUrls[(n + turn) % GATEWAYS]!;
      const user = new ChatUser([base], 'x');
      const answer = await user.http<T>('POST', path, body, { token: null });
      if (answer.status !== 503 || turn > 40) return answer;
    }
  };
  const login = (name: string, n: number, device?: { id: string }) =>
    insist<LoginAnswer & { code?: string; retryable?: boolean }>(n, {
      username: name,
      password: ChatUser.PASSWORD,
      device,
    });
  const asUser = (name: string, n: number, answer: LoginAnswer): ChatUser => {
    const bases = stack.gatewayUrls;
    const turned = [...bases.slice(n % GATEWAYS), ...bases.slice(0, n % GATEWAYS)];
    const user = new ChatUser(turned, name);
    user.accessToken = answer.accessToken;
    user.refreshToken = answer.refreshToken;
    user.deviceId = answer.deviceId;
    user.id = answer.user.id;
    return user;
  };
  const registered = async (): Promise<string> => {
    const name = `policy${process.pid % 1000}x${count++}`;
    const body = {
      username: name,
      email: `${name}@example.org`,
      firstName: 'P',
      password: ChatUser.PASSWORD,
    };
    expect((await insist(0, body, '/v1/users')).status).toBe(201);
    return name;
  };
  /** The device that stays, whose answer was overtaken by a repetition of its own, logs in once more. */
  const comeBack = async (user: ChatUser): Promise<TestSocket> => {
    await user.login();
    return user.connect();
  };
  const fifty = <T>(one: (n: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: LOGINS }, (_, n) => one(n)));
  const loggedIn = async (name: string): Promise<string[]> => {
    const { rows } = await sql.query<{ id: string }>(
      `SELECT d.id FROM devices d JOIN users u ON u.id = d.user_id
       WHERE u.username = $1 AND d.logged_in`,
      [name],
    );
    return rows.map(({ id }) => id);
  };
  const emptyRedis = async () => {
    const redis = new Redis(stack.redisUrl);
    await redis.flushall();
    redis.disconnect();
  };

  it('of 50 registrations of one name at once one wins, however it is written', async () => {
    const stamp = `${process.pid % 1000}`;
    const written = [
      `caf\u00e9${stamp}`,
      `cafe\u0301${stamp}`,
      `CAF\u00c9${stamp}`,
      `Cafe\u0301${stamp}`,
      `\uff43\uff41\uff46\u00e9${stamp}`,
    ];
    const answers = await fifty((n) =>
      insist<{ id?: string; code?: string }>(
        n,
        {
          username: written[n % written.length],
          email: `one-name-${stamp}-${n}@example.org`,
          firstName: 'One',
          password: ChatUser.PASSWORD,
        },
        '/v1/users',
      ),
    );
    const won = answers.filter(({ status }) => status === 201);
    const lost = answers.filter(({ body }) => body.code === 'username_taken');
    expect([won.length, lost.length]).toEqual([1, LOGINS - 1]);
    const { rows } = await sql.query<{ id: string }>('SELECT id FROM users WHERE email LIKE $1', [
      `one-name-${stamp}-%`,
    ]);
    expect(rows).toEqual([{ id: won[0]!.body.id }]);
  });

  it('multi: 50 logins of one user at once all succeed, 10 devices stay', async () => {
    const name = await registered();
    const answers = await fifty((n) => login(name, n));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body.deviceId)).size).toBe(LOGINS);
    expect(await loggedIn(name)).toHaveLength(DEVICES);
  });

  describe('single-replace', () => {
    beforeAll(() => setPolicy('single-replace'), PATIENCE_MS);

    it.each([
      ['', () => Promise.resolve()],
      [', right after Redis was emptied', emptyRedis],
    ])(
      '50 logins at once have 50 answers and 1 live socket, the others end with 4501 and none comes back%s',
      async (_when, before) => {
        const name = await registered();
        await before();
        const sockets: TestSocket[] = [];
        const ends = await fifty(async (n) => {
          // a repetition after a lost answer is the same device
          const answer = await login(name, n, { id: randomUUID() });
          expect(answer.status).toBe(200);
          const user = asUser(name, n, answer.body);
          try {
            sockets.push(await user.connect());
            return user;
          } catch {
            // replaced before it had a socket, or Redis was away: it asks once more
            const again = await user.connect().catch(() => null);
            if (again) sockets.push(again);
            return user;
          }
        });
        await eventually(async () => {
          const live = await loggedIn(name);
          expect(live).toHaveLength(1);
          const winner = ends.find(({ deviceId }) => deviceId === live[0])!;
          if (!sockets.some(({ closed }) => closed === null)) {
            sockets.push(await winner.connect().catch(() => comeBack(winner)));
          }
          expect(sockets.filter(({ closed }) => closed === null)).toHaveLength(1);
        }, RENEWAL_MS);
        const closed = sockets.flatMap((socket) => (socket.closed ? [socket.closed.code] : []));
        expect(new Set(closed).size === 0 || closed.every((code) => code === 4501)).toBe(true);
        const [live] = await loggedIn(name);
        for (const loser of ends.filter(({ deviceId }) => deviceId !== live)) {
          const back = await loser.http(
            'POST',
            '/v1/auth/refresh',
            { refreshToken: loser.refreshToken },
            { token: null },
          );
          expect(back.body.code).toBe('refresh_expired');
        }
        for (const socket of sockets) socket.cut();
      },
      PATIENCE_MS,
    );

    it(
      'each of ten logins in turn closes the socket before it with 4501, also unheard and with an empty Redis',
      async () => {
        const name = await registered();
        let last: TestSocket | null = null;
        for (let n = 0; n < 10; n++) {
          const user = asUser(name, n, (await login(name, n)).body);
          if (last) expect((await last.close()).code).toBe(4501);
          last = await user.connect();
        }
        const redis = new Redis(stack.redisUrl);
        const { rows } = await sql.query<{ id: string }>(
          'SELECT id FROM users WHERE username = $1',
          [name],
        );
        await redis.del(`{u:${rows[0]!.id}}:routes`);
        await login(name, 1);
        await redis.flushall();
        redis.disconnect();
        expect((await last!.close(RENEWAL_MS)).code).toBe(4501);
      },
      PATIENCE_MS,
    );

    it('the SDK says so in a sentence, and stays away', async () => {
      const name = await registered();
      const client = nodeClient({ servers: stack.gatewayUrls });
      await client.login({ username: name, password: ChatUser.PASSWORD });
      const stopped = new Promise<object>((resolve) => client.once('stopped', resolve));
      await client.start();
      await eventually(() => expect(client.state).toBe('online'), 20_000);
      await login(name, 1);
      expect(await stopped).toEqual({
        code: 4501,
        reason: 'You have logged in on another device, and this server allows one at a time',
      });
      expect([client.state, client.currentLogin]).toEqual(['stopped', null]);
    });
  });

  describe('single-reject', () => {
    beforeAll(() => setPolicy('single-reject'), PATIENCE_MS);

    it.each([
      ['', () => Promise.resolve()],
      [', right after Redis was emptied', emptyRedis],
    ])(
      'of 50 logins at once exactly one succeeds%s',
      async (_when, before) => {
        const name = await registered();
        await before();
        const answers = await fifty((n) => login(name, n));
        const codes = answers.map(({ status, body }) => `${status} ${body.code ?? 'ok'}`);
        expect(codes.filter((code) => code === '200 ok')).toHaveLength(1);
        expect(codes.filter((code) => code === '409 logged_in_elsewhere')).toHaveLength(LOGINS - 1);
        expect(await loggedIn(name)).toHaveLength(1);
      },
      PATIENCE_MS,
    );

    it(
      'is in use for 120 s after its login and its last sign of life, and ends with 4501 afterwards',
      async () => {
        const name = await registered();
        const first = asUser(name, 0, (await login(name, 0)).body);
        const idle = (seconds: number) =>
          sql.query(
            `UPDATE devices SET last_seen = now() - $2 * interval '1 second' WHERE id = $1`,
            [first.deviceId, seconds],
          );
        const refused = await login(name, 1);
        expect([refused.status, refused.body.code]).toEqual([409, 'logged_in_elsewhere']);
        const wait = Number(refused.headers.get('retry-after'));
        expect(wait).toBeGreaterThan(60);
        expect(wait).toBeLessThanOrEqual(120);
        // the same device may log in again
        expect((await login(name, 2, { id: first.deviceId })).status).toBe(200);
        const again = asUser(name, 2, (await login(name, 2, { id: first.deviceId })).body);
        const socket = await again.connect();
        // a gateway tells of a living socket within 20 s, and of a call
        await idle(119);
        expect((await login(name, 1)).status).toBe(409);
        await idle(110);
        await again.http('GET', '/v1/me');
        await eventually(async () => {
          const { rows } = await sql.query<{ idle: number }>(
            `SELECT extract(epoch FROM now() - last_seen)::float8 AS idle FROM devices WHERE id = $1`,
            [first.deviceId],
          );
          expect(rows[0]!.idle).toBeLessThan(60);
        }, RENEWAL_MS);
        await idle(121);
        expect((await login(name, 1)).status).toBe(200);
        expect((await socket.close(RENEWAL_MS)).code).toBe(4501);
      },
      PATIENCE_MS,
    );
  });

  describe('while PostgreSQL is away', () => {
    beforeAll(() => setPolicy('multi'), PATIENCE_MS);

    /**
     * One registration or login, until it is no refusal that may be repeated. Hashing a password takes some 15 ms of a core:
     * where others use all cores, 20 a second and those that waited for PostgreSQL are more than can be hashed, and the
     * last in line are told `busy`. They come back when told to, as clients do.
     */
    const comesIn = async (n: number, username: string, name: string | null): Promise<Outcome> => {
      const user = new ChatUser([stack.gatewayUrls[n % GATEWAYS]!], username);
      const password = ChatUser.PASSWORD;
      const email = `${name}@example.org`;
      const body = name ? { username, email, firstName: 'R', password } : { username, password };
      const path = name ? '/v1/users' : '/v1/auth/login';
      const refusals: Outcome['refusals'] = [];
      for (;;) {
        const asked = performance.now();
        const {
          status,
          body: problem,
          headers,
        } = await user.http('POST', path, body, { token: null });
        const ms = performance.now() - asked;
        if (status !== 503 || refusals.length > 20) return { name, status, ms, refusals };
        refusals.push({ code: problem.code, ms });
        await pause(Number(headers.get('retry-after') ?? 1) * 1000);
      }
    };

    it.each([
      ['restarts', () => Promise.resolve()],
      ['is away for three seconds', () => pause(AWAY_MS)],
    ])(
      '20 registrations and logins a second wait for a PostgreSQL that %s, all succeed, and none is half done',
      async (_how, away) => {
        const known = await Promise.all(Array.from({ length: KNOWN }, registered));
        const run = randomUUID().slice(0, 8);
        const calls: Promise<Outcome>[] = [];
        const timer = setInterval(() => {
          const n = calls.length;
          const name = n % 2 === 0 ? `restart${run}x${n}` : null;
          calls.push(comesIn(n, name ?? known[(n >> 1) % KNOWN]!, name));
        }, 50);
        const after = (more: number) => {
          const from = calls.length;
          return eventually(() => expect(calls.length).toBeGreaterThan(from + more), 20_000);
        };
        let awayMs = 0;
        try {
          await after(AROUND);
          const stopped = performance.now();
          await stack.postgres.stop();
          await away();
          await stack.postgres.restart();
          awayMs = performance.now() - stopped;
          await after(60);
        } finally {
          clearInterval(timer);
        }
        const answers = await Promise.all(calls);
        const failed = answers.filter(({ status }) => status !== 200 && status !== 201);
        expect(failed).toEqual([]);
        const told = answers.flatMap(({ refusals }) => refusals);
        const usual = [answers.slice(0, AROUND), answers.slice(-AROUND)].map(
          (some) => some.map(({ ms }) => ms).sort((a, b) => a - b)[AROUND / 2]!,
        );
        const isCalm = Math.max(...usual) < CALM_MS;
        // they wait for five seconds: whoever came in a shorter outage is not told of it where the machine has nothing else to do
        const unavailable = told.filter(({ code }) => code === 'unavailable');
        const tooSoon = unavailable.filter(
          ({ ms }) => (isCalm && awayMs < MAX_OUTAGE_MS) || ms < MAX_OUTAGE_MS,
        );
        expect([awayMs, tooSoon]).toEqual([awayMs, []]);
        // nor was a line full there
        const busy = told.filter(({ code }) => code === 'busy' && isCalm);
        expect([usual, busy]).toEqual([usual, []]);
        await sql.end().catch(() => undefined);
        await connectSql();
        for (const { name } of answers) {
          if (name !== null) expect((await login(name, 0)).status).toBe(200);
        }
        const { rows } = await sql.query<{ live: string; whole: string }>(
          `SELECT count(*) AS live, count(*) FILTER (WHERE EXISTS (SELECT 1 FROM refresh_tokens t
               WHERE t.device_id = d.id AND t.session_generation = d.session_generation)) AS whole
             FROM devices d JOIN users u ON u.id = d.user_id WHERE u.username = ANY($1) AND d.logged_in
             GROUP BY u.id`,
          [known],
        );
        expect(rows).toEqual(known.map(() => ({ live: String(DEVICES), whole: String(DEVICES) })));
      },
      PATIENCE_MS,
    );
  });
});
