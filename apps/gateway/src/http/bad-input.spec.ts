import { LIMITS } from '@tidings/protocol/limits';
import { ask, GROUP, LOGIN, OTHER_ID, startLoggedIn } from '../testing/asking';
import { USER_ID, type FakeGateway } from '../testing/fake-gateway';

let gateway: FakeGateway;
let token: string;

beforeAll(async () => {
  ({ gateway, token } = await startLoggedIn());
});

afterAll(() => gateway.app.close());

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
    const deep = '['.repeat(15_000) + ']'.repeat(15_000);
    const answer = await ask(gateway, 'POST', '/auth/login', { body: deep });
    expect(answer.status).toBe(400);
  });
});
