import type { TraceTarget } from '../trace/trace.service';
import { TraceService } from '../trace/trace.service';
import { startFakeGateway, USER_ID, type FakeGateway } from '../testing/fake-gateway';

const MESSAGE_ID = '01890a5d-ac96-774b-bcce-b302099a8003';
const GRANT = {
  userId: USER_ID,
  deviceId: MESSAGE_ID,
  generation: 4,
  refreshToken: 'r',
  sequence: 1,
};
const LOGIN = { username: 'ann', password: 'password' };

describe('GET …/trace', () => {
  let gateway: FakeGateway;
  let token: string;
  const asked: [TraceTarget, object][] = [];

  const ask = async (path: string, options: RequestInit = {}) => {
    const response = await fetch(`${gateway.url}/conversations/${path}`, {
      headers: { authorization: `Bearer ${token}` },
      ...options,
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  beforeAll(async () => {
    const user = { id: USER_ID, username: 'ann', firstName: 'Ann' };
    const trace = {
      get: (target: TraceTarget, query: object) => {
        asked.push([target, query]);
        return Promise.resolve({ position: '7' });
      },
    };
    gateway = await startFakeGateway({
      answers: { 'accounts.login': { ...GRANT, user } },
      fakes: [[TraceService, trace]],
    });
    const login = await fetch(`${gateway.url}/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(LOGIN),
    });
    token = ((await login.json()) as { accessToken: string }).accessToken;
  });
  afterAll(() => gateway.app.close());
  beforeEach(() => void asked.splice(0));

  it('asks for the caller’s message, part by part', async () => {
    const path = `c/messages/${MESSAGE_ID}/trace`;
    expect(await ask(path)).toEqual({ status: 200, body: { position: '7' } });
    await ask(`${path}?cursor=abc&limit=100`);
    const target = { userId: USER_ID, conversationId: 'c', messageId: MESSAGE_ID };
    expect(asked).toEqual([
      [target, {}],
      [target, { cursor: 'abc', limit: 100 }],
    ]);
  });

  it.each([
    ['no message id', 'c/messages/x/trace'],
    ['no conversation id', `c%2F/messages/${MESSAGE_ID}/trace`],
    ['a limit of 0', `c/messages/${MESSAGE_ID}/trace?limit=0`],
    ['a limit of 101', `c/messages/${MESSAGE_ID}/trace?limit=101`],
    ['an unknown field', `c/messages/${MESSAGE_ID}/trace?of=bob`],
  ])('refuses %s', async (_what, path) => {
    expect(await ask(path)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(asked).toEqual([]);
  });

  it('needs a login, and takes no other method', async () => {
    const path = `c/messages/${MESSAGE_ID}/trace`;
    expect(await ask(path, { headers: {} })).toMatchObject({ status: 401 });
    expect(await ask(path, { method: 'DELETE' })).toMatchObject({ status: 405 });
    expect(asked).toEqual([]);
  });
});
