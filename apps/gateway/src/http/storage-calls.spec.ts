import { randomUUID } from 'node:crypto';
import { LIMITS } from '@tidings/protocol/limits';
import { ask, GROUP, LOGIN, OTHER_ID, startLoggedIn } from '../testing/asking';
import { USER_ID, type FakeGateway } from '../testing/fake-gateway';

let gateway: FakeGateway;
let token: string;

beforeAll(async () => {
  ({ gateway, token } = await startLoggedIn());
});

afterAll(() => gateway.app.close());

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
        listing: false,
        limit: LIMITS.pageItems,
      },
    ],
    [
      ...(['GET', '/users?query=An%40example.org&limit=5', 'users.byEmail', undefined] as const),
      { email: 'An@example.org' },
    ],
    [
      'GET',
      `/users?query=${'a'.repeat(242)}@example.org`,
      'users.byEmail',
      undefined,
      { email: `${'a'.repeat(242)}@example.org` },
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
        userId: USER_ID,
        requestId: 'r-1',
        title: 'Friends',
        userIds: [OTHER_ID],
        messageTtlSeconds: 10,
        history: 'all',
      },
    ],
    [
      'PATCH',
      '/conversations/c',
      'conversations.change',
      { title: 'é'.repeat(128), messageTtlSeconds: null },
      {
        userId: USER_ID,
        conversationId: 'c',
        title: 'é'.repeat(128),
        messageTtlSeconds: null,
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
    expect(input).toEqual({
      ...body,
      userId: expect.any(String),
      address: expect.any(String),
    });
    expect(input.userId).toHaveLength(randomUUID().length);
  });
});
