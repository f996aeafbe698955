import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { once } from 'node:events';
import { LIMITS } from '@tidings/common/contracts/limits';
import {
  DEVICE_ID,
  GENERATION,
  startFakeGateway,
  USER_ID,
  type FakeGateway,
} from '../testing/fake-gateway';

const OTHER_ID = '01890a5d-ac96-774b-bcce-b302099a8003';
const USER = { id: USER_ID, username: 'ann', firstName: 'Ann' };
const GRANT = {
  userId: USER_ID,
  deviceId: DEVICE_ID,
  generation: GENERATION,
  refreshToken: 'refresh',
  sequence: 1,
};
const GROUP = { kind: 'group', requestId: 'r-1', title: 'Friends', userIds: [OTHER_ID] };
const LOGIN = { username: 'ann', password: 'password' };

interface Answer {
  status: number;
  body: Record<string, unknown>;
  headers: Headers;
}

async function ask(
  gateway: FakeGateway,
  method: string,
  path: string,
  options: { body?: unknown; token?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { body, token, headers } = options;
  const response = await fetch(gateway.url + path, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: (text ? JSON.parse(text) : {}) as Record<string, unknown>,
    headers: response.headers,
  };
}

let gateway: FakeGateway;
let token: string;

beforeAll(async () => {
  gateway = await startFakeGateway({
    env: { ALLOWED_ORIGINS: 'https://app.example' },
    answers: { 'accounts.login': { ...GRANT, user: USER }, 'accounts.refresh': GRANT },
  });
  const login = await ask(gateway, 'POST', '/auth/login', { body: LOGIN });
  token = String(login.body['accessToken']);
});

afterAll(() => gateway.app.close());

describe('what needs a login', () => {
  it.each([
    ['GET', '/me'],
    ['PATCH', '/me'],
    ['GET', '/users'],
    ['GET', `/users/${OTHER_ID}`],
    ['GET', '/contacts'],
    ['PUT', `/contacts/${OTHER_ID}`],
    ['DELETE', `/contacts/${OTHER_ID}`],
    ['GET', '/contacts/incoming'],
    ['POST', '/connections'],
    ['POST', '/conversations'],
    ['GET', '/conversations'],
    ['GET', '/conversations/c'],
    ['PATCH', '/conversations/c'],
    ['GET', '/conversations/c/members'],
    ['POST', '/conversations/c/members'],
    ['PATCH', `/conversations/c/members/${OTHER_ID}`],
    ['DELETE', `/conversations/c/members/${OTHER_ID}`],
    ['GET', '/conversations/c/messages'],
    ['PUT', `/conversations/c/messages/${OTHER_ID}`],
    ['GET', '/conversations/c/receipts'],
    ['PUT', '/conversations/c/receipts'],
    ['POST', '/sync'],
    ['GET', `/presence?userIds=${OTHER_ID}`],
    ['POST', '/auth/logout'],
    ['POST', '/me/password'],
    ['GET', '/me/devices'],
    ['DELETE', `/me/devices/${OTHER_ID}`],
    ['GET', '/blocks'],
    ['PUT', `/blocks/${OTHER_ID}`],
    ['DELETE', `/blocks/${OTHER_ID}`],
    ['POST', '/media'],
    ['GET', `/media/${OTHER_ID}`],
    ['GET', `/media/${OTHER_ID}/thumbnail`],
    ['GET', `/media/${OTHER_ID}/url`],
  ])('%s %s', async (method, path) => {
    const before = gateway.calls.length;
    const answer = await ask(gateway, method, path);
    expect([answer.status, answer.body['code']]).toEqual([401, 'unauthorized']);
    expect(gateway.calls.length).toBe(before);
  });
});

describe('what needs none', () => {
  it('GET /v1 describes the server', async () => {
    const answer = await ask(gateway, 'GET', '');
    expect(answer.body).toMatchObject({ versions: ['v1'], login: ['password'], limits: LIMITS });
  });

  it('login answers tokens, device and user, and no more', async () => {
    const answer = await ask(gateway, 'POST', '/auth/login', { body: LOGIN });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      accessToken: expect.any(String),
      expiresInSeconds: 900,
      refreshToken: 'refresh',
      deviceId: DEVICE_ID,
      user: USER,
    });
  });

  it('refresh answers tokens', async () => {
    const answer = await ask(gateway, 'POST', '/auth/refresh', { body: { refreshToken: 'r' } });
    expect([answer.status, Object.keys(answer.body).sort()]).toEqual([
      200,
      ['accessToken', 'expiresInSeconds', 'refreshToken'],
    ]);
  });

  it.each(['bad_credentials', 'logged_in_elsewhere', 'busy', 'unavailable'])(
    'login passes %s on',
    async (code) => {
      const other = await startFakeGateway({ answers: { 'accounts.login': code } });
      const answer = await ask(other, 'POST', '/auth/login', { body: LOGIN });
      expect(answer.body['code']).toBe(code);
      await other.app.close();
    },
  );
});

describe('a problem', () => {
  it('is an RFC 9457 document with the id of the request', async () => {
    const answer = await ask(gateway, 'GET', '/me');
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body).toEqual({
      type: 'urn:tidings:error:unauthorized',
      title: expect.any(String),
      status: 401,
      detail: expect.any(String),
      code: 'unauthorized',
      requestId: answer.headers.get('x-request-id'),
      retryable: false,
    });
  });

  it.each([
    ['GET', '/nowhere', 404, 'not_found'],
    ['GET', '/../../etc/passwd', 404, 'not_found'],
  ])('%s %s → %i %s', async (method, path, status, code) => {
    const answer = await ask(gateway, method, path, { token });
    expect([answer.status, answer.body['code']]).toEqual([status, code]);
  });

  it.each([
    ['PATCH', '/auth/login', 'POST'],
    ['GET', '/auth/login/', 'POST'],
    ['PATCH', `/contacts/${OTHER_ID}`, 'DELETE, PUT'],
    ['POST', '/contacts/incoming', 'DELETE, GET, HEAD, PUT'],
    ['DELETE', '/conversations', 'GET, HEAD, POST'],
    ['GET', '/me/password', 'POST'],
  ])('%s %s: 405, Allow: %s', async (method, path, allow) => {
    const answer = await ask(gateway, method, path);
    expect([answer.status, answer.body['code']]).toEqual([405, 'method_not_allowed']);
    expect(answer.headers.get('allow')).toBe(allow);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body['requestId']).toBe(answer.headers.get('x-request-id'));
  });

  it('tells no internals', async () => {
    const other = await startFakeGateway({
      parts: {
        storage: {
          call: () => Promise.reject(new Error('SELECT password FROM users')),
        } as never,
      },
    });
    const answer = await ask(other, 'POST', '/auth/login', { body: LOGIN });
    expect([answer.status, answer.body['code']]).toEqual([500, 'internal']);
    expect(JSON.stringify(answer.body)).not.toContain('SELECT');
    await other.app.close();
  });
});

describe('bad input', () => {
  const register = { ...LOGIN, email: 'a@b.example', firstName: 'Ann' };
  it.each<[string, string, string, unknown]>([
    ['no body', 'POST', '/auth/login', undefined],
    ['broken JSON', 'POST', '/auth/login', '{"username":'],
    ['JSON that is no object', 'POST', '/auth/login', '"text"'],
    ['an array', 'POST', '/auth/login', []],
    ['an unknown field', 'POST', '/auth/login', { ...LOGIN, role: 'admin' }],
    ['a polluting field', 'POST', '/auth/login', '{"username":"a","password":"b","__proto__":{}}'],
    ['a name that is no text', 'POST', '/auth/login', { ...LOGIN, username: { $ne: '' } }],
    ['a password that is no text', 'POST', '/auth/login', { ...LOGIN, password: ['p'] }],
    ['a device with unknown fields', 'POST', '/auth/login', { ...LOGIN, device: { os: 'x' } }],
    ['a user id of its own', 'POST', '/users', { ...register, userId: OTHER_ID }],
    ['a name with NUL', 'POST', '/users', { ...register, firstName: 'A\u0000' }],
    ['a name with a newline', 'POST', '/users', { ...register, firstName: 'A\nB' }],
    ['no e-mail address', 'POST', '/users', { ...register, email: 'nobody' }],
    ['an id that is none', 'GET', "/users/'OR'1", undefined],
    ['an id in upper case', 'GET', `/users/${OTHER_ID.toUpperCase()}`, undefined],
    ['a parameter twice', 'GET', '/users?query=a&query=b', undefined],
    ['a nested parameter', 'GET', '/users?query[a]=b', undefined],
    ['an unknown parameter', 'GET', '/conversations?admin=1', undefined],
    ['a limit too high', 'GET', `/conversations?limit=${LIMITS.pageItems + 1}`, undefined],
    ['a limit that is none', 'GET', '/conversations?limit=ten', undefined],
    ['a user name in the own profile', 'PATCH', '/me', { username: 'eve' }],
    ['a blank name', 'PATCH', '/me', { firstName: ' ' }],
    ['privacy that is none', 'PATCH', '/me', { privacy: { lastSeen: 'friends' } }],
    ['unknown privacy', 'PATCH', '/me', { privacy: { readReceipts: true, photos: 'nobody' } }],
    ['a receipt of nothing', 'PUT', '/conversations/c/receipts', {}],
    ['a receipt of no position', 'PUT', '/conversations/c/receipts', { read: '01' }],
    ['a receipt for somebody else', 'PUT', '/conversations/c/receipts', { userId: OTHER_ID }],
    ['a position that is none', 'GET', '/conversations/c/messages?before=-1', undefined],
    [
      'a position too high',
      'GET',
      '/conversations/c/messages?after=9223372036854775808',
      undefined,
    ],
    ['oneself', 'POST', '/conversations', { kind: 'direct', userIds: [USER_ID] }],
    ['nobody', 'POST', '/conversations', { kind: 'direct', userIds: [] }],
    ['an unknown kind', 'POST', '/conversations', { kind: 'everyone', userIds: [OTHER_ID] }],
    ['a group without a request id', 'POST', '/conversations', { ...GROUP, requestId: undefined }],
    ['a request id that is none', 'POST', '/conversations', { ...GROUP, requestId: 'a b' }],
    ['a group without a title', 'POST', '/conversations', { ...GROUP, title: undefined }],
    ['a blank title', 'POST', '/conversations', { ...GROUP, title: ' ' }],
    ['a title with a newline', 'POST', '/conversations', { ...GROUP, title: 'a\nb' }],
    ['a title too long', 'POST', '/conversations', { ...GROUP, title: 'é'.repeat(129) }],
    [
      'too many members',
      'POST',
      '/conversations',
      { ...GROUP, userIds: Array(1001).fill(OTHER_ID) },
    ],
    ['a lifetime too short', 'POST', '/conversations', { ...GROUP, messageTtlSeconds: 9 }],
    ['a lifetime too long', 'PATCH', '/conversations/c', { messageTtlSeconds: 31_536_001 }],
    ['a lifetime in parts', 'PATCH', '/conversations/c', { messageTtlSeconds: 10.5 }],
    ['another view of history', 'POST', '/conversations', { ...GROUP, history: 'none' }],
    ['a change of nothing', 'PATCH', '/conversations/c', {}],
    ['a change of the owner', 'PATCH', '/conversations/c', { title: 't', owner: OTHER_ID }],
    ['nobody to add', 'POST', '/conversations/c/members', { userIds: [] }],
    [
      'a role of its own',
      'POST',
      '/conversations/c/members',
      { userIds: [OTHER_ID], role: 'owner' },
    ],
    ['an unknown role', 'PATCH', `/conversations/c/members/${OTHER_ID}`, { role: 'god' }],
    ['a member that is none', 'DELETE', '/conversations/c/members/me', undefined],
    ['a message id that is none', 'PUT', '/conversations/c/messages/1', {}],
    [
      'a sender of its own',
      'PUT',
      `/conversations/c/messages/${OTHER_ID}`,
      {
        content: { kind: 'text', text: 'x' },
        senderId: OTHER_ID,
      },
    ],
    ['a device id that is none', 'DELETE', '/me/devices/1', undefined],
    ['a blocked id that is none', 'PUT', '/blocks/ann', undefined],
    ['no current password', 'POST', '/me/password', { next: 'password' }],
    ['an endless current one', 'POST', '/me/password', { current: 'x'.repeat(5_000), next: 'y' }],
    ['another field', 'POST', '/me/password', { current: 'x', next: 'y', userId: OTHER_ID }],
    ['too many users', 'GET', `/presence?userIds=${Array(101).fill(OTHER_ID).join()}`, undefined],
  ])('%s: 400 invalid_request, and nobody is asked', async (_name, method, path, body) => {
    const before = gateway.calls.length;
    const answer = await ask(gateway, method, path, { body, token });
    expect([answer.status, answer.body['code']]).toEqual([400, 'invalid_request']);
    expect(gateway.calls.length).toBe(before);
  });

  it('names the fields that are wrong', async () => {
    const answer = await ask(gateway, 'POST', '/users', {
      body: { ...register, email: 'x', q: 1 },
    });
    expect(answer.body['errors']).toEqual(
      expect.arrayContaining([expect.objectContaining({ path: 'email' })]),
    );
  });

  it('a body above the limit: 413', async () => {
    const body = { ...LOGIN, password: 'x'.repeat(200_000) };
    const answer = await ask(gateway, 'POST', '/auth/login', { body });
    expect([answer.status, answer.body['code']]).toEqual([413, 'payload_too_large']);
  });

  it('a password in the query string is not taken', async () => {
    const before = gateway.calls.length;
    const body = { username: 'ann', password: '' };
    const answer = await ask(gateway, 'POST', '/auth/login?password=password', { body });
    expect([answer.status, answer.body['code']]).toEqual([401, 'bad_credentials']);
    expect(gateway.calls.length).toBe(before);
  });

  it('a deep body does no harm', async () => {
    const deep = '['.repeat(30_000) + ']'.repeat(30_000);
    const answer = await ask(gateway, 'POST', '/auth/login', { body: deep });
    expect(answer.status).toBe(400);
  });
});

describe('what storage is asked', () => {
  it.each<[string, string, string, unknown, unknown]>([
    ['GET', '/me', 'accounts.me', undefined, { userId: USER_ID }],
    [
      ...(['PATCH', '/me', 'accounts.patch'] as const),
      { lastName: null, privacy: { readReceipts: false } },
      { userId: USER_ID, lastName: null, privacy: { readReceipts: false } },
    ],
    [
      ...(['GET', '/conversations/c/receipts?cursor=x', 'receipts.list', undefined] as const),
      { userId: USER_ID, conversationId: 'c', limit: LIMITS.pageItems, cursor: 'x' },
    ],
    [
      'GET',
      '/users?query=an',
      'users.search',
      undefined,
      {
        userId: USER_ID,
        query: 'an',
        limit: LIMITS.pageItems,
      },
    ],
    ['GET', `/users?ids=${OTHER_ID}`, 'users.get', undefined, { ids: [OTHER_ID] }],
    [
      'GET',
      '/contacts?limit=5&cursor=c',
      'contacts.list',
      undefined,
      {
        userId: USER_ID,
        limit: 5,
        cursor: 'c',
      },
    ],
    [
      'PUT',
      `/contacts/${OTHER_ID}`,
      'contacts.put',
      undefined,
      {
        userId: USER_ID,
        contactId: OTHER_ID,
      },
    ],
    ['GET', '/blocks?limit=5', 'blocks.list', undefined, { userId: USER_ID, limit: 5 }],
    [
      'GET',
      '/conversations/c',
      'conversations.get',
      undefined,
      {
        userId: USER_ID,
        conversationId: 'c',
      },
    ],
    [
      'POST',
      '/conversations',
      'conversations.group',
      { ...GROUP, messageTtlSeconds: 10, history: 'all' },
      {
        ...{ userId: USER_ID, requestId: 'r-1', title: 'Friends', userIds: [OTHER_ID] },
        ...{ messageTtlSeconds: 10, history: 'all' },
      },
    ],
    [
      'PATCH',
      '/conversations/c',
      'conversations.change',
      { title: 'é'.repeat(128), messageTtlSeconds: null },
      {
        ...{ userId: USER_ID, conversationId: 'c' },
        ...{ title: 'é'.repeat(128), messageTtlSeconds: null },
      },
    ],
    [
      'GET',
      '/conversations/c/members?limit=5',
      'members.list',
      undefined,
      { userId: USER_ID, conversationId: 'c', limit: 5 },
    ],
    [
      'POST',
      '/conversations/c/members',
      'members.add',
      { userIds: [OTHER_ID] },
      { userId: USER_ID, conversationId: 'c', memberIds: [OTHER_ID] },
    ],
    [
      'PATCH',
      `/conversations/c/members/${OTHER_ID}`,
      'members.role',
      { role: 'admin' },
      { userId: USER_ID, conversationId: 'c', memberId: OTHER_ID, role: 'admin' },
    ],
    [
      'GET',
      '/conversations/c/messages',
      'messages.history',
      undefined,
      {
        userId: USER_ID,
        conversationId: 'c',
        limit: LIMITS.pageItems,
        barrier: ['1', null],
      },
    ],
    [
      'GET',
      '/conversations/c/messages?before=9&limit=200',
      'messages.history',
      undefined,
      {
        userId: USER_ID,
        conversationId: 'c',
        limit: 200,
        before: '9',
      },
    ],
    [
      'GET',
      `/presence?userIds=${OTHER_ID}`,
      'presence.get',
      undefined,
      {
        viewerId: USER_ID,
        userIds: [OTHER_ID],
      },
    ],
  ])('%s %s: %s', async (method, path, name, body, input) => {
    const answer = await ask(gateway, method, path, { body, token });
    expect(answer.status).toBe(200);
    expect(gateway.calls.at(-1)).toEqual({ name, input });
  });

  it('a registration has an id made here', async () => {
    const body = { ...LOGIN, email: 'a@b.example', firstName: 'Ann' };
    expect((await ask(gateway, 'POST', '/users', { body })).status).toBe(201);
    const input = gateway.calls.at(-1)!.input as { userId: string };
    expect(input).toEqual({ ...body, userId: expect.any(String) });
    expect(input.userId).toHaveLength(randomUUID().length);
  });
});

describe('news of the account', () => {
  const user = { id: OTHER_ID, username: 'bob', firstName: 'Bob' };
  it.each<[string, string, string, object, unknown[][]]>([
    [
      'a new contact who has not the user',
      'PUT /contacts',
      'contacts.put',
      { user, mutual: false, added: true },
      [
        [USER_ID, ['contacts'], DEVICE_ID],
        [OTHER_ID, ['incoming']],
      ],
    ],
    [
      'a new contact who has the user',
      'PUT /contacts',
      'contacts.put',
      { user, mutual: true, added: true },
      [
        [USER_ID, ['contacts', 'incoming'], DEVICE_ID],
        [OTHER_ID, ['contacts']],
      ],
    ],
    ['an old contact', 'PUT /contacts', 'contacts.put', { user, mutual: true, added: false }, []],
    [
      'a contact that is gone',
      'DELETE /contacts',
      'contacts.delete',
      { removed: true, mutual: false },
      [
        [USER_ID, ['contacts'], DEVICE_ID],
        [OTHER_ID, ['incoming']],
      ],
    ],
    [
      'a new block',
      'PUT /blocks',
      'blocks.put',
      { block: { user, blockedAt: '2026-11-22T08:00:00.000Z' }, added: true },
      [[USER_ID, ['blocks'], DEVICE_ID]],
    ],
    ['no block', 'DELETE /blocks', 'blocks.delete', { removed: false }, []],
  ])('%s', async (_what, call, name, answer, news) => {
    gateway.answers[name] = answer;
    gateway.told.length = 0;
    const [method, path] = call.split(' ') as [string, string];
    const { status, body } = await ask(gateway, method, `${path}/${OTHER_ID}`, { token });
    expect(status).toBe(method === 'PUT' ? 200 : 204);
    expect(body).not.toHaveProperty('added');
    expect(gateway.told).toEqual(news);
    delete gateway.answers[name];
  });
});

describe('presence', () => {
  it('of who blocks the caller is hidden', async () => {
    const at = '2026-11-22T08:00:00.000Z';
    const there = { status: 'online', lastSeenAt: at, activeAt: at };
    gateway.answers['presence.get'] = {
      items: [
        { userId: OTHER_ID, ...there },
        { userId: USER_ID, ...there },
      ],
    };
    gateway.answers['blocks.hiding'] = { items: [OTHER_ID] };
    const path = `/presence?userIds=${OTHER_ID},${USER_ID}`;
    const { body } = await ask(gateway, 'GET', path, { token });
    expect(body['items']).toEqual([
      { userId: OTHER_ID, status: 'offline', lastSeenAt: null, activeAt: null },
      { userId: USER_ID, ...there },
    ]);
    gateway.answers['blocks.hiding'] = 'unavailable';
    expect((await ask(gateway, 'GET', path, { token })).status).toBe(503);
    delete gateway.answers['blocks.hiding'];
    delete gateway.answers['presence.get'];
  });
});

describe('devices', () => {
  it('say which one asks, and which ones are connected', async () => {
    const known = { createdAt: '2026-11-22T08:00:00.000Z', lastSeenAt: '2026-11-22T08:01:00.000Z' };
    gateway.answers['devices.list'] = {
      items: [
        { id: DEVICE_ID, name: 'phone', ...known },
        { id: OTHER_ID, ...known },
      ],
    };
    const { body } = await ask(gateway, 'GET', '/me/devices', { token });
    expect(body['items']).toEqual([
      { id: DEVICE_ID, name: 'phone', ...known, current: true, online: true },
      { id: OTHER_ID, ...known, current: false, online: false },
    ]);
  });
});

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
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  }, 20_000);

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
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  }, 20_000);
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
});
