import { isAdminCall } from '@tidings/protocol/admin';
import type { Express } from 'express';
import { CALL_RATES, LIMITS, RATES, type RateName } from '@tidings/protocol/limits';
import { ask, GRANT, GROUP, LOGIN, OTHER_ID, startLoggedIn } from '../testing/asking';
import { startFakeGateway, USER_ID, type FakeGateway } from '../testing/fake-gateway';
import { RefusalPace } from './refusal-pace';
import { costsOf } from './user-rate.guard';

/** Not an endpoint of HTTP: the upgrade. */
const SOCKET = 'GET /v1/ws';
const CALLS = Object.entries(CALL_RATES) as [string, readonly RateName[]][];
const CONVERSATION = { kind: 'direct', userIds: [OTHER_ID] };

/** Every endpoint, as Express knows it. */
function endpoints(gateway: FakeGateway): string[] {
  const { router } = gateway.app.getHttpAdapter().getInstance() as Express;
  const { stack } = router as unknown as {
    stack: { route?: { path: string; methods: Record<string, boolean> } }[];
  };
  return stack.flatMap(({ route }) =>
    route
      ? Object.keys(route.methods).map((method) => `${method.toUpperCase()} ${route.path}`)
      : [],
  );
}

describe('every call', () => {
  let gateway: FakeGateway;

  beforeAll(async () => {
    ({ gateway } = await startLoggedIn());
  });
  afterAll(() => gateway.app.close());

  it('counts for what the table says, and the table names no other', () => {
    const named = CALLS.map(([call]) => call).filter(
      (call) => call !== SOCKET && !isAdminCall(call),
    );
    expect(endpoints(gateway).sort()).toEqual(named.sort());
  });

  it('that needs a login counts for a user or a device', () => {
    const open = CALLS.filter(([call]) => costsOf(call, null).length === 0).map(([call]) => call);
    expect(open.sort()).toEqual([
      'GET /v1',
      'GET /v1/media/:id/signed',
      'POST /v1/auth/login',
      'POST /v1/users',
    ]);
  });

  it('is a defect when nobody has said what it counts for', () => {
    expect(() => costsOf('GET /v1/nothing', null)).toThrow('GET /v1/nothing counts for no rate');
  });
});

describe('what invitations cost', () => {
  it.each([
    [{ userIds: ['a', 'b', 'c'] }, 3],
    [{ userIds: [] }, 1],
    [{ userIds: 'abc' }, 1],
    [{ userIds: { length: 50 } }, 1],
    [{ userIds: Array(50_000).fill('a') }, LIMITS.groupMembers],
    [{}, 1],
    [null, 1],
    [undefined, 1],
    ['x', 1],
  ])('%j', (body, cost) => {
    expect(new Map(costsOf('POST /v1/conversations', body)).get('invite')).toBe(cost);
  });
});

describe('what searches cost', () => {
  const search = { per: 'search', cost: 1 };
  const email = { per: 'findByEmail', cost: 1 };
  it.each([
    [undefined, [search]],
    ['ann', [search]],
    ['ann@example.org', [search, email]],
    ['@', [search, email]],
    [['ann@example.org'], [search]],
  ])('%j', (query, costs) => {
    const found = costsOf('GET /v1/users', undefined, { query });
    expect(found.map(([per, cost]) => ({ per, cost }))).toEqual(costs);
  });

  it('is refused above the rate of addresses, names go on', async () => {
    const gateway = await startFakeGateway({
      env: { RATE_LIMITS: 'findByEmail=1/2' },
      answers: { 'accounts.login': GRANT },
    });
    const login = await ask(gateway, 'POST', '/auth/login', { body: LOGIN });
    const token = String(login.body['accessToken']);
    const find = async (query: string) =>
      (await ask(gateway, 'GET', `/users?query=${query}`, { token })).status;
    const statuses = [await find('a@b.org'), await find('not-there@'), await find('a@b.org')];
    expect([...statuses, await find('ann')]).toEqual([200, 200, 429, 200]);
    expect(gateway.refused).toEqual(['findByEmail']);
    await gateway.app.close();
  });
});

describe('UserRateGuard', () => {
  const counted = CALLS.filter(
    ([call]) => call !== SOCKET && !isAdminCall(call) && costsOf(call, null).length > 0,
  );

  it.each(counted)('%s is refused above each of %j', async (call, names) => {
    for (const [name] of costsOf(call, null)) {
      // slower above it, never refused
      if (name === 'refresh') continue;
      expect(names).toContain(name);
      // one a minute, so that the second is refused
      const gateway = await startFakeGateway({
        env: { RATE_LIMITS: `${name}=1/1` },
        answers: {
          'accounts.login': GRANT,
          'conversations.direct': { created: true, conversation: {} },
        },
      });
      const login = await ask(gateway, 'POST', '/auth/login', { body: LOGIN });
      const token = String(login.body['accessToken']);
      const [method, path] = call.split(' ') as [string, string];
      const url = path.replace('/v1', '').replace(/:\w+/g, OTHER_ID);
      const refusals = jest.spyOn(gateway.app.get(RefusalPace), 'turn');
      const body = method === 'GET' ? undefined : CONVERSATION;
      const first = await ask(gateway, method, url, { body, token });
      expect([call, first.status]).not.toEqual([call, 429]);
      const again = await ask(gateway, method === 'GET' ? 'HEAD' : method, url, { body, token });
      expect([call, again.status]).toEqual([call, 429]);
      expect(Number(again.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(gateway.refused).toEqual([name]);
      expect(refusals.mock.calls.map(([who]) => who)).toEqual([USER_ID]);
      const { app } = gateway;
      await app.close();
    }
  });

  it('says `rate_limited`, retryable, and asks storage nothing', async () => {
    const gateway = await startFakeGateway({
      env: { RATE_LIMITS: 'contact=60/1' },
      answers: {
        'accounts.login': GRANT,
        'contacts.put': { added: false, user: {}, mutual: false },
      },
    });
    const login = await ask(gateway, 'POST', '/auth/login', { body: LOGIN });
    const token = String(login.body['accessToken']);
    await ask(gateway, 'PUT', `/contacts/${OTHER_ID}`, { token });
    const refused = await ask(gateway, 'PUT', `/contacts/${OTHER_ID}`, { token });
    expect(refused.body).toMatchObject({ code: 'rate_limited', retryable: true, status: 429 });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(gateway.calls.filter(({ name }) => name === 'contacts.put')).toHaveLength(1);
    await gateway.app.close();
  });

  it.each([
    ['direct', 'conversations.direct', CONVERSATION],
    ['group', 'conversations.group', GROUP],
  ])('a %s conversation that exists already costs no creation', async (_kind, name, body) => {
    const gateway = await startFakeGateway({
      env: { RATE_LIMITS: 'createConversation=1/1,invite=1/1' },
      answers: { 'accounts.login': GRANT, [name]: { created: false, conversation: {} } },
    });
    const login = await ask(gateway, 'POST', '/auth/login', { body: LOGIN });
    const token = String(login.body['accessToken']);
    const post = async () => (await ask(gateway, 'POST', '/conversations', { body, token })).status;
    expect([await post(), await post(), await post()]).toEqual([200, 200, 200]);
    gateway.answers[name] = { created: true, conversation: {} };
    expect([await post(), await post()]).toEqual([201, 429]);
    await gateway.app.close();
  });

  it('announces the rates in force, and not what is switched off', async () => {
    const gateway = await startFakeGateway({
      env: { RATE_LIMITS: 'send=60/5,trace=0/0', HTTP_RATE_PER_MINUTE: '77' },
    });
    const { limits, rates } = (await ask(gateway, 'GET', '')).body as Record<string, object>;
    expect(limits).toMatchObject({ sendsPerSecond: 1, sendBurst: 5 });
    expect(rates).toMatchObject({
      send: { per: 'user', burst: 5, perMinute: 60 },
      request: { per: 'address', burst: 77, perMinute: 77 },
      upload: { per: 'user', burst: RATES.upload.burst, perMinute: RATES.upload.perMinute },
    });
    expect(rates).not.toHaveProperty('trace');
    expect(rates).not.toHaveProperty('auth');
    await gateway.app.close();
  });
});
