import { ask, OTHER_ID, startLoggedIn } from '../testing/asking';
import { DEVICE_ID, USER_ID, type FakeGateway } from '../testing/fake-gateway';

let gateway: FakeGateway;
let token: string;

beforeAll(async () => {
  ({ gateway, token } = await startLoggedIn());
});

afterAll(() => gateway.app.close());

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
    [
      'a new contact who blocks the user',
      'PUT /contacts',
      'contacts.put',
      { user, mutual: false, added: true, unseen: true },
      [[USER_ID, ['contacts'], DEVICE_ID]],
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
    expect(body).not.toHaveProperty('unseen');
    expect(gateway.told).toEqual(news);
    delete gateway.answers[name];
  });
});

describe('presence', () => {
  it('of who blocks the caller is hidden', async () => {
    const at = '2026-11-22T08:00:00.000Z';
    const there = { status: 'online', lastSeenAt: at, activeAt: at, version: 3 };
    gateway.answers['presence.get'] = {
      items: [
        { userId: OTHER_ID, ...there },
        { userId: USER_ID, ...there },
      ],
    };
    gateway.answers['presence.visible'] = { items: [USER_ID] };
    const path = `/presence?userIds=${OTHER_ID},${USER_ID}`;
    const { body } = await ask(gateway, 'GET', path, { token });
    expect(body['items']).toEqual([
      { userId: OTHER_ID, status: 'offline', lastSeenAt: null, activeAt: null, version: 3 },
      { userId: USER_ID, ...there },
    ]);
    gateway.answers['presence.visible'] = 'unavailable';
    expect((await ask(gateway, 'GET', path, { token })).status).toBe(503);
    delete gateway.answers['presence.visible'];
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
