import type { Tokens } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { startTestStack } from '../support/test-stack';
import { openSocket } from '../support/test-socket';

describe('accounts, tokens and devices', () => {
  let stack: Stack;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      services: { gateway: 2, session: 1, presence: 1, storage: 2 },
    }));
  }, 240_000);
  afterAll(() => stop?.());

  const registration = (username: string, n: number): object => ({
    username,
    email: `${n}-${Date.now()}@example.org`,
    firstName: 'Racer',
    password: ChatUser.PASSWORD,
  });

  it('gives a name to exactly one of 50 simultaneous registrations through two gateways', async () => {
    const name = `Zoé${Date.now()}`;
    const variants = [name, name.toUpperCase(), name.toLowerCase(), name.normalize('NFD')];
    const register = (n: number) =>
      new ChatUser(stack.gatewayUrls, 'x').http(
        'POST',
        '/v1/users',
        registration(variants[n % variants.length]!, n),
        { base: stack.gatewayUrls[n % 2] },
      );
    // so many for one name at once fill its line: who is told to come again does so
    const patiently = (n: number) =>
      eventually(async () => {
        const answer = await register(n);
        expect(['busy', 'unavailable']).not.toContain(answer.body.code);
        return answer;
      }, 30_000);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => patiently(n)));
    expect(answers.filter((a) => a.status === 201)).toHaveLength(1);
    const losers = answers.filter((a) => a.status !== 201);
    expect(new Set(losers.map((a) => a.body.code))).toEqual(new Set(['username_taken']));
  });

  it('makes one conversation of simultaneous creations from both sides', async () => {
    const ann = await ChatUser.create(stack.gatewayUrls);
    const bob = await ChatUser.create(stack.gatewayUrls);
    const made = await Promise.all(
      Array.from({ length: 50 }, (_, n) => (n % 2 === 0 ? ann.direct(bob) : bob.direct(ann))),
    );
    expect(new Set(made.map((c) => c.id)).size).toBe(1);
    expect(await ann.history(made[0]!.id)).toHaveLength(1);
  });

  it('rotates refresh tokens, forgives a lost answer, and punishes a re-use', async () => {
    const ann = await ChatUser.create(stack.gatewayUrls);
    const refresh = (
      refreshToken: string,
    ): Promise<{ status: number; body: Tokens & { code?: string } }> =>
      ann.http('POST', '/v1/auth/refresh', { refreshToken }, { token: null });
    const lost = await refresh(ann.refreshToken);
    expect(lost.status).toBe(200);
    // the answer was lost: the old one still works, until the new pair is used
    const second = await refresh(ann.refreshToken);
    expect(second.status).toBe(200);
    const me = await ann.http('GET', '/v1/me', undefined, { token: second.body.accessToken });
    expect(me.status).toBe(200);
    await eventually(async () => {
      const reused = await refresh(ann.refreshToken);
      expect([reused.status, reused.body.code]).toEqual([401, 'refresh_reused']);
    });
    await eventually(async () => {
      const ended = await ann.http('GET', '/v1/me', undefined, { token: second.body.accessToken });
      expect(ended.status).toBe(401);
    });
    expect((await refresh('nonsense')).body.code).toBe('refresh_expired');
  });

  it('ends tokens, tickets and the socket of a device at logout', async () => {
    const ann = await ChatUser.create(stack.gatewayUrls);
    const socket = await ann.connect('gateway-2');
    const { resumeTicket } = socket.of('welcome')[0] as unknown as { resumeTicket: string };
    const { url, ticket } = await ann.ticket('gateway-1');
    const out = await ann.http('POST', '/v1/auth/logout');
    expect(out.status).toBe(204);
    expect((await socket.close()).code).toBe(4502);
    await eventually(async () => {
      expect((await ann.http('GET', '/v1/me')).status).toBe(401);
    });
    for (const old of [ticket, resumeTicket]) {
      await expect(openSocket(url, old)).rejects.toMatchObject({ status: 401 });
    }
  });

  it('keeps the ten newest devices of a user', async () => {
    const ann = await ChatUser.create(stack.gatewayUrls);
    const devices = [ann];
    for (let n = 1; n < LIMITS.devicesPerUser; n++) devices.push(await ann.onNewDevice(0));
    const statuses = async () => {
      const answers = await Promise.all(devices.map((d) => d.http('GET', '/v1/me')));
      return answers.map(({ status }) => status);
    };
    expect(new Set(await statuses())).toEqual(new Set([200]));
    // The first one is used again, so that the second one was used longest ago.
    await ann.login();
    await ann.onNewDevice(0);
    const expected = devices.map((_, n) => (n === 1 ? 401 : 200));
    await eventually(async () => expect(await statuses()).toEqual(expected));
  });
});
