import { eventually } from '../../../../test/support/eventually';
import { ask, GRANT, LOGIN, startLoggedIn } from '../testing/asking';
import type { FakeGateway } from '../testing/fake-gateway';

const REQUESTS = 8;
const AUTH = 5;

describe('rates of addresses', () => {
  let gateway: FakeGateway;
  let token: string;

  beforeEach(async () => {
    const env = { HTTP_RATE_PER_MINUTE: String(REQUESTS), AUTH_RATE_PER_MINUTE: String(AUTH) };
    // its login counts once
    ({ gateway, token } = await startLoggedIn({ env }));
  });
  afterEach(() => gateway.app.close());

  const refresh = () =>
    ask(gateway, 'POST', '/auth/refresh', { body: { refreshToken: 'anything' } });
  const open = () => ask(gateway, 'GET', '');
  /** The statuses of so many calls, one after the other. */
  const statuses = async (count: number, call: () => Promise<{ status: number }>) => {
    const all: number[] = [];
    for (let n = 0; n < count; n++) all.push((await call()).status);
    return all;
  };

  it('let a crowd behind one address refresh: only what fails counts', async () => {
    let device = 0;
    const id = () => `01890a5d-ac96-774b-bcce-${String((device += 1)).padStart(12, '0')}`;
    const crowd = () => {
      gateway.answers['accounts.refresh'] = { ...GRANT, deviceId: id() };
      return refresh();
    };
    expect(new Set(await statuses(50, crowd))).toEqual(new Set([200]));
    gateway.answers['accounts.refresh'] = 'refresh_expired';
    await eventually(async () => expect((await refresh()).status).toBe(429), 10_000, 0);
    const asked = gateway.asked();
    const refused = await refresh();
    expect([refused.status, refused.body['code']]).toEqual([429, 'rate_limited']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    // nobody was asked about it
    expect(gateway.asked()).toBe(asked);
  });

  it('slow a device down that refreshes all the time, and refuse it nothing', async () => {
    await gateway.app.close();
    ({ gateway } = await startLoggedIn({ env: { RATE_LIMITS: 'refresh=300/1' } }));
    const began = performance.now();
    expect(await statuses(4, refresh)).toEqual([200, 200, 200, 200]);
    expect(performance.now() - began).toBeGreaterThan(300);
  });

  it('count calls with a token of ours for its device, and the others for the address', async () => {
    expect((await statuses(REQUESTS, open)).slice(-2)).toEqual([200, 429]);
    const mine = () => ask(gateway, 'GET', '/blocks', { token });
    expect(await statuses(REQUESTS + 1, mine)).toEqual([...Array<number>(REQUESTS).fill(200), 429]);
  });

  it('count a call that needs no token for the address, whatever token it carries', async () => {
    const login = () => ask(gateway, 'POST', '/auth/login', { body: LOGIN, token });
    expect(await statuses(AUTH, login)).toEqual([...Array<number>(AUTH - 1).fill(200), 429]);
  });

  it('count a token that is not ours for the address', async () => {
    const [head, payload] = token.split('.');
    const forged = `${head}.${payload}.${'A'.repeat(43)}`;
    const call = () => ask(gateway, 'GET', '/blocks', { token: forged });
    expect((await statuses(REQUESTS, call)).slice(-2)).toEqual([401, 429]);
  });
});
