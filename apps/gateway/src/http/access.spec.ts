import { LIMITS } from '@tidings/protocol/limits';
import { ask, LOGIN, OTHER_ID, startLoggedIn, USER } from '../testing/asking';
import { DEVICE_ID, startFakeGateway, type FakeGateway } from '../testing/fake-gateway';

let gateway: FakeGateway;

beforeAll(async () => {
  ({ gateway } = await startLoggedIn());
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
    // rates are off here
    const limits = {
      ...LIMITS,
      sendsPerSecond: 0,
      sendBurst: 0,
      imagePixelsBurst: 0,
      imagePixelsPerMinute: 0,
    };
    expect(answer.body).toMatchObject({ versions: ['v1'], login: ['password'], limits });
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

  it('each login is a guess of its own for storage', async () => {
    const other = await startFakeGateway({ answers: { 'accounts.login': 'bad_credentials' } });
    for (let i = 0; i < 2; i++) await ask(other, 'POST', '/auth/login', { body: LOGIN });
    await other.app.close();
    const ids = other.calls.map(({ input }) => (input as { guessId: string }).guessId);
    expect(ids).toEqual([expect.any(String), expect.any(String)]);
    expect(ids[0]).not.toBe(ids[1]);
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
