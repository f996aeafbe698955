import { DEVICE_ID, GENERATION, startFakeGateway, USER_ID, type FakeGateway } from './fake-gateway';

export const OTHER_ID = '01890a5d-ac96-774b-bcce-b302099a8003';
export const USER = { id: USER_ID, username: 'ann', firstName: 'Ann' };
export const GRANT = {
  userId: USER_ID,
  deviceId: DEVICE_ID,
  generation: GENERATION,
  refreshToken: 'refresh',
  sequence: 1,
};
/** Body of a good request for a group, and of a good login. */
export const GROUP = { kind: 'group', requestId: 'r-1', title: 'Friends', userIds: [OTHER_ID] };
export const LOGIN = { username: 'ann', password: 'password' };

/** An HTTP answer as specs look at it. */
export interface Answer {
  status: number;
  body: Record<string, unknown>;
  headers: Headers;
}

/** One call of a fake gateway; never throws for an error status. */
export async function ask(
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

/** A fake gateway at which a user is logged in. */
export async function startLoggedIn(
  options: { env?: Record<string, string> } = {},
): Promise<{ gateway: FakeGateway; token: string }> {
  const gateway = await startFakeGateway({
    env: { ALLOWED_ORIGINS: 'https://app.example', ...options.env },
    answers: { 'accounts.login': { ...GRANT, user: USER }, 'accounts.refresh': GRANT },
  });
  const login = await ask(gateway, 'POST', '/auth/login', { body: LOGIN });
  return { gateway, token: String(login.body['accessToken']) };
}
