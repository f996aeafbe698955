import { connect } from 'node:net';
import { once } from 'node:events';
import { eventually } from '../../../../test/support/eventually';
import { ask, GRANT, LOGIN, startLoggedIn } from '../testing/asking';
import { startFakeGateway, type FakeGateway } from '../testing/fake-gateway';
import { RefusalPace } from './refusal-pace';

let gateway: FakeGateway;

beforeAll(async () => {
  ({ gateway } = await startLoggedIn());
});

afterAll(() => gateway.app.close());

describe('the listener', () => {
  it('sets the headers of helmet and names no server', async () => {
    const { headers } = await ask(gateway, 'GET', '');
    expect(headers.get('strict-transport-security')).toContain('max-age=');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain("object-src 'none'");
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-powered-by')).toBeNull();
  });

  it.each([
    ['https://app.example', 'https://app.example'],
    ['https://app.example.evil', null],
    ['https://evil.example', null],
    ['null', null],
  ])('CORS for %s: %s', async (origin, allowed) => {
    const { headers } = await ask(gateway, 'GET', '', { headers: { origin } });
    expect(headers.get('access-control-allow-origin')).toBe(allowed);
    expect(headers.get('access-control-allow-credentials')).toBeNull();
  });

  it('lets a page on another origin send everything that a call may have', async () => {
    const response = await fetch(`${gateway.url}/media`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type,x-conversation-id',
      },
    });
    const { status, headers } = response;
    expect(status).toBe(204);
    expect(headers.get('access-control-allow-origin')).toBe('https://app.example');
    for (const method of ['GET', 'PUT', 'POST', 'PATCH', 'DELETE']) {
      expect(headers.get('access-control-allow-methods')).toContain(method);
    }
    expect(headers.get('access-control-allow-headers')).toBe(
      'authorization,content-type,x-conversation-id',
    );
    expect(Number(headers.get('access-control-max-age'))).toBeGreaterThan(0);
  });

  it.each<[string, string, string, { body?: unknown; token?: string }, number]>([
    ['a body that is no JSON', 'POST', '/auth/login', { body: '{"username":' }, 400],
    ['a body that is too large', 'POST', '/auth/login', { body: 'x'.repeat(200_000) }, 413],
    ['no token', 'GET', '/me', {}, 401],
    ['no such call', 'GET', '/nothing', {}, 404],
    ['a method that is not known', 'DELETE', '/auth/login', {}, 405],
  ])('lets a page on another origin read why it is refused: %s', async (_why, ...call) => {
    const [method, path, options, status] = call;
    const headers = { origin: 'https://app.example' };
    const answer = await ask(gateway, method, path, { ...options, headers });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(answer.headers.get('access-control-expose-headers')).toContain('Retry-After');
  });

  it.each([
    ['what is no HTTP', 'hello\r\n\r\n', 400],
    [
      'a length that is no number',
      'POST /v1/media HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n',
      400,
    ],
    [
      'endless headers',
      `GET /v1 HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
    ],
  ])('answers %s with a problem, too, and closes', async (_what, request, status) => {
    const socket = connect(gateway.port, '127.0.0.1');
    let text = '';
    socket.on('data', (data: Buffer) => (text += data.toString()));
    socket.write(request);
    await once(socket, 'close');
    expect(text).toContain(`HTTP/1.1 ${status} `);
    expect(text).toContain('application/problem+json');
    const [, body] = text.split('\r\n\r\n');
    expect(JSON.parse(body!)).toMatchObject({ status, code: 'invalid_request', retryable: false });
  });

  it.each([
    ['h2c', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk'],
    ['something else', 'Connection: upgrade\r\nUpgrade: foo/2, bar'],
    ['WebSocket among others', 'Connection: Upgrade\r\nUpgrade: h2c, websocket'],
    ['nothing', 'Connection: Upgrade\r\nUpgrade:'],
  ])('answers calls that offer %s as if they did not', async (_what, headers) => {
    const body = JSON.stringify(LOGIN);
    const login = [
      'POST /v1/auth/login HTTP/1.1',
      'Host: x',
      headers,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
      `\r\n${body}`,
    ].join('\r\n');
    const unknown = `GET /v1/nothing HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`;
    const last = `GET /v1/ws HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
    const socket = connect(gateway.port, '127.0.0.1');
    let text = '';
    socket.on('data', (data: Buffer) => (text += data.toString()));
    const statuses = () => [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status);
    // one connection for all, each behind the answer to the one before
    for (const [n, request] of [login, unknown, last].entries()) {
      socket.write(request);
      await eventually(() => expect(statuses()).toHaveLength(n + 1));
    }
    socket.destroy();
    expect(statuses()).toEqual(['200', '404', '426']);
    expect(text).toMatch(/^Upgrade: websocket\r$/m);
  });

  it('ends a request whose headers come too slowly', async () => {
    const server = gateway.app.getHttpServer() as {
      headersTimeout: number;
    };
    expect(server.headersTimeout).toBeLessThanOrEqual(13_000);
    const socket = connect(gateway.port, '127.0.0.1');
    socket.write('GET /v1 HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    const closed = once(socket, 'close');
    const startedAt = performance.now();
    socket.resume();
    await closed;
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });

  it('ends a request whose body comes too slowly', async () => {
    const socket = connect(gateway.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n');
    socket.write('Content-Length: 100\r\n\r\n{');
    const drip = setInterval(() => socket.write(' '), 500);
    const closed = once(socket, 'close');
    const startedAt = performance.now();
    socket.resume();
    await closed;
    clearInterval(drip);
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });
});

describe('rates per address', () => {
  it('limits logins apart from the rest, and says when to come back', async () => {
    const limited = await startFakeGateway({
      env: { HTTP_RATE_PER_MINUTE: '6', AUTH_RATE_PER_MINUTE: '2' },
      answers: { 'accounts.login': 'bad_credentials' },
    });
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) {
      const headers = { 'x-forwarded-for': `10.0.0.${i}` };
      const answer = await ask(limited, 'POST', '/auth/login', { body: LOGIN, headers });
      statuses.push(answer.status);
      if (answer.status === 429) {
        expect(answer.body['code']).toBe('rate_limited');
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      }
    }
    expect(statuses).toEqual([401, 401, 429]);
    const others: number[] = [];
    for (let i = 0; i < 4; i++) others.push((await ask(limited, 'GET', '')).status);
    expect(others).toEqual([200, 200, 200, 429]);
    await limited.app.close();
  });

  it('refuses at a pace of its own for each address', async () => {
    const limited = await startFakeGateway({ env: { HTTP_RATE_PER_MINUTE: '1' } });
    const turn = jest.spyOn(limited.app.get(RefusalPace), 'turn');
    for (let i = 0; i < 3; i++) await ask(limited, 'GET', '');
    await limited.app.close();
    expect(turn.mock.calls.map(([who]) => who)).toEqual(['127.0.0.1', '127.0.0.1']);
  });

  it('refuses a device at one pace, from however many addresses it comes', async () => {
    const env = { HTTP_RATE_PER_MINUTE: '1', AUTH_RATE_PER_MINUTE: '0' };
    const { gateway: limited, token } = await startLoggedIn({ env });
    const turn = jest.spyOn(limited.app.get(RefusalPace), 'turn');
    for (let i = 0; i < 3; i++) await ask(limited, 'GET', '/blocks', { token });
    await limited.app.close();
    expect(turn.mock.calls.map(([who]) => who)).toEqual([GRANT.deviceId, GRANT.deviceId]);
  });

  it.each<[string, (gateway: FakeGateway) => Promise<number>]>([
    ['what no endpoint takes', async (at) => (await ask(at, 'GET', '/nothing')).status],
    ['paths outside of /v1', async ({ url }) => (await fetch(new URL('/x', url))).status],
    ['another method', async (at) => (await ask(at, 'DELETE', '')).status],
    ['the path of the WebSocket', async (at) => (await ask(at, 'GET', '/ws')).status],
    [
      'a body that is no JSON',
      async (at) => (await ask(at, 'POST', '/auth/login', { body: '{' })).status,
    ],
    [
      'a body that is too long',
      async (at) => (await ask(at, 'POST', '/auth/login', { body: 'x'.repeat(200_000) })).status,
    ],
    [
      'a token that is none',
      async (at) => (await ask(at, 'GET', '/me', { token: 'nonsense' })).status,
    ],
  ])('counts %s, too', async (_what, call) => {
    const limited = await startFakeGateway({ env: { HTTP_RATE_PER_MINUTE: '2' } });
    const statuses = [await call(limited), await call(limited), await call(limited)];
    await limited.app.close();
    expect(statuses.map((status) => status === 429)).toEqual([false, false, true]);
    expect(limited.refused).toEqual(['request']);
  });

  it('counts preflights apart, ten for each call: they have no token', async () => {
    const limited = await startFakeGateway({ env: { HTTP_RATE_PER_MINUTE: '1' } });
    const preflight = async () => (await fetch(limited.url, { method: 'OPTIONS' })).status;
    const statuses: number[] = [];
    for (let n = 0; n < 11; n++) statuses.push(await preflight());
    const other = await ask(limited, 'GET', '');
    await limited.app.close();
    expect(statuses).toEqual([...Array<number>(10).fill(204), 429]);
    expect(other.status).toBe(200);
  });

  it('counts a refresh when it fails, also one whose body cannot be read', async () => {
    const limited = await startFakeGateway({
      env: { HTTP_RATE_PER_MINUTE: '9', AUTH_RATE_PER_MINUTE: '2' },
    });
    const refresh = async () => (await ask(limited, 'POST', '/auth/refresh', { body: '{' })).status;
    const statuses = [await refresh(), await refresh(), await refresh()];
    await limited.app.close();
    expect(statuses).toEqual([400, 400, 429]);
    expect(limited.refused).toEqual(['auth']);
  });

  it('counts the address that a trusted proxy names', async () => {
    const behind = await startFakeGateway({
      env: { HTTP_RATE_PER_MINUTE: '1', TRUST_PROXY: '1' },
    });
    const from = async (address: string) =>
      (await ask(behind, 'GET', '', { headers: { 'x-forwarded-for': address } })).status;
    expect([await from('10.0.0.1'), await from('10.0.0.2'), await from('10.0.0.1')]).toEqual([
      200, 200, 429,
    ]);
    await behind.app.close();
  });

  it('does not count what comes from an address behind which many clients stand', async () => {
    const behind = await startFakeGateway({
      env: { HTTP_RATE_PER_MINUTE: '1', SHARED_ADDRESSES: '10.0.0.1', TRUST_PROXY: '1' },
    });
    const from = async (address: string) =>
      (await ask(behind, 'GET', '', { headers: { 'x-forwarded-for': address } })).status;
    for (let i = 0; i < 3; i++) expect(await from('10.0.0.1')).toBe(200);
    expect([await from('10.0.0.2'), await from('10.0.0.2')]).toEqual([200, 429]);
    await behind.app.close();
  });
});
