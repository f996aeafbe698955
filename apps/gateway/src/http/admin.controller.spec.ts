import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ErrorAnswers } from '@tidings/common/runtime/error-answers';
import { createLogger } from '@tidings/common/runtime/logger';
import { Metrics } from '@tidings/common/runtime/metrics';
import { CALL_RATES } from '@tidings/protocol/limits';
import { isAdminCall } from '@tidings/protocol/admin';
import { AdminCalls } from '../admin.module';
import { OTHER_ID, startLoggedIn } from '../testing/asking';
import { USER_ID, type FakeGateway } from '../testing/fake-gateway';

const USER = { id: OTHER_ID, username: 'bob', firstName: 'Bob', roles: [] };
const BY = { actor: USER_ID, origin: '127.0.0.1' };
const WHOM = { userId: OTHER_ID };

describe('the calls of operators', () => {
  let gateway: FakeGateway;
  let token: string;
  let server: Server;
  let calls: AdminCalls;
  let url: string;
  const noted: object[] = [];

  beforeAll(async () => {
    // one call of each test is answered
    ({ gateway, token } = await startLoggedIn({ env: { RATE_LIMITS: 'administer=1/100' } }));
    const logger = createLogger({ service: 'gateway', nodeId: 'g', level: 'silent' });
    const answers = new ErrorAnswers(logger, new Metrics({ service: 'gateway', node: 'a' }));
    const security = {
      note: (event: string, subject: object) => void noted.push({ event, ...subject }),
    };
    calls = await AdminCalls.make(gateway.given, gateway.env, { logger, security, answers });
    server = createServer((request, response) => {
      if (!calls.answer(request, response)) response.writeHead(418).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.close();
    await calls.close();
    await gateway.app.close();
  });
  beforeEach(() => {
    noted.length = 0;
    gateway.calls.length = 0;
    Object.assign(gateway.answers, {
      'admin.role': { user: USER, changed: true },
      'admin.disable': { user: USER, changed: true },
      'admin.enable': { user: USER, changed: true },
      'admin.end': { user: USER, changed: true },
      'admin.sessions': { user: USER, items: [] },
      'admin.roles': { items: [USER] },
      'admin.cluster': { leaders: [] },
    });
  });

  const ask = async (method: string, path: string, body?: unknown, auth: string | null = token) => {
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(auth !== null && { authorization: `Bearer ${auth}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : (JSON.parse(text) as object) };
  };
  const place = `/v1/admin/users/${OTHER_ID}`;

  it.each([
    ['GET', '/v1/admin/roles', undefined, 200, 'admin.roles', { by: BY, limit: 100 }],
    [
      'PUT',
      `${place}/roles/operator`,
      undefined,
      204,
      'admin.role',
      { by: BY, whom: WHOM, role: 'operator', granted: true },
    ],
    [
      'DELETE',
      `${place}/roles/broadcaster`,
      undefined,
      204,
      'admin.role',
      { by: BY, whom: WHOM, role: 'broadcaster', granted: false },
    ],
    ['POST', `${place}/disable`, undefined, 200, 'admin.disable', { by: BY, whom: WHOM }],
    [
      'POST',
      `${place}/disable`,
      { reason: 'spam' },
      200,
      'admin.disable',
      { by: BY, whom: WHOM, reason: 'spam' },
    ],
    ['POST', `${place}/enable`, undefined, 200, 'admin.enable', { by: BY, whom: WHOM }],
    ['POST', `${place}/end`, {}, 200, 'admin.end', { by: BY, whom: WHOM }],
    [
      'POST',
      `${place}/end`,
      { deviceId: OTHER_ID },
      200,
      'admin.end',
      { by: BY, whom: WHOM, deviceId: OTHER_ID },
    ],
    ['GET', `${place}/sessions`, undefined, 200, 'admin.sessions', { by: BY, whom: WHOM }],
  ])('%s %s %j: %i', async (method, path, body, status, name, input) => {
    expect((await ask(method, path, body)).status).toBe(status);
    expect(gateway.calls.filter((call) => call.name.startsWith('admin'))).toEqual([
      { name, input },
    ]);
    expect(noted).toEqual([]);
  });

  it.each([
    ['PUT', `${place}/roles/owner`, undefined],
    ['PUT', `/v1/admin/users/me/roles/operator`, undefined],
    ['POST', `${place}/disable`, { reason: 'a\nb' }],
    ['POST', `${place}/disable`, { until: '2027-01-01T00:00:00Z' }],
    ['POST', `${place}/end`, { deviceId: 'all' }],
    ['GET', '/v1/admin/roles?limit=0', undefined],
  ])('%s %s %j: invalid_request', async (method, path, body) => {
    expect(await ask(method, path, body)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    });
    expect(gateway.calls).toEqual([]);
  });

  const all = Object.keys(CALL_RATES).filter(isAdminCall);
  const pathOf = (call: string): [string, string] => {
    const [method = '', path = ''] = call.split(' ');
    return [method, path.replace(':id', OTHER_ID).replace(':role', 'operator')];
  };

  it.each(all)('%s is not for who is no operator, and noted once', async (call) => {
    for (const name of Object.keys(gateway.answers)) {
      if (name.startsWith('admin')) gateway.answers[name] = 'forbidden';
    }
    const answer = await ask(...pathOf(call));
    expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(JSON.stringify(answer.body)).not.toContain('bob');
    expect(noted).toEqual([
      expect.objectContaining({ event: 'admin_refused', userId: USER_ID, address: '127.0.0.1' }),
    ]);
  });

  it.each(all)('%s needs a login, and is noted once', async (call) => {
    expect(await ask(...pathOf(call), undefined, null)).toMatchObject({ status: 401 });
    expect(gateway.calls).toEqual([]);
    expect(noted).toHaveLength(1);
  });

  it.each(all)('%s is nothing that the public listener knows', async (call) => {
    const [method, path] = pathOf(call);
    for (const [verb, where] of [
      [method, path],
      [method, path.replace('admin', 'Admin') + '/'],
      ['PATCH', path],
    ] as const) {
      const headers = { authorization: `Bearer ${token}` };
      const response = await fetch(gateway.url.replace('/v1', '') + where, {
        method: verb,
        headers,
      });
      expect([response.status, response.headers.get('allow')]).toEqual([404, null]);
      expect(((await response.json()) as { code: string }).code).toBe('not_found');
    }
    expect(gateway.calls).toEqual([]);
    expect(gateway.noted).toHaveLength(3);
    gateway.noted.length = 0;
  });

  it('count for a rate of their own', async () => {
    for (let i = 0; i < 100; i++) await ask('GET', '/v1/admin/roles');
    expect(await ask('GET', '/v1/admin/roles')).toMatchObject({
      status: 429,
      body: { code: 'rate_limited' },
    });
    expect(gateway.refused).toContain('administer');
  });

  it('are not those of others', async () => {
    expect((await ask('GET', '/v1/me')).status).toBe(418);
    expect((await ask('GET', '/v1/admin')).status).toBe(404);
    expect((await ask('GET', '/v1/administration')).status).toBe(418);
  });
});
