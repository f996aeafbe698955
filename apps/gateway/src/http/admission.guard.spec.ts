import { eventually } from '../../../../test/support/eventually';
import { Admission } from '../rates/admission';
import { ask, startLoggedIn } from '../testing/asking';
import { DEVICE_ID, type FakeGateway } from '../testing/fake-gateway';

describe('admission before POST /v1/connections', () => {
  let gateway: FakeGateway;
  let token: string;

  beforeEach(async () => {
    const env = { CONNECT_RATE_PER_SECOND: '0.001', CONNECT_BURST: '2' };
    ({ gateway, token } = await startLoggedIn({ env }));
  });
  afterEach(() => gateway.app.close());

  const connect = (with_: { token?: string } = { token }) =>
    ask(gateway, 'POST', '/connections', { body: { deviceId: DEVICE_ID }, ...with_ });

  it('answers busy with a time before anything is asked, and lets other calls through', async () => {
    const before = [(await connect()).status, (await connect()).status];
    expect(before).not.toContain(503);
    const asked = gateway.asked();
    const refused = await connect();
    expect([refused.status, refused.body['code']]).toEqual([503, 'busy']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(gateway.asked()).toBe(asked);
    expect((await ask(gateway, 'GET', '/blocks', { token })).status).toBe(200);
  });

  it('does not let the line grow by those who have no token of ours', async () => {
    for (let n = 0; n < 2; n++) await connect();
    const admit = jest.spyOn(gateway.app.get(Admission), 'admit');
    const forged = `${token.slice(0, token.lastIndexOf('.'))}.${'A'.repeat(43)}`;
    for (const with_ of [{}, { token: 'nonsense' }, { token: forged }]) {
      expect((await connect(with_)).status).toBe(401);
    }
    expect(admit).not.toHaveBeenCalled();
    expect((await connect()).status).toBe(503);
  });

  it('does not count whoever has no good token', async () => {
    for (let n = 0; n < 5; n++) expect((await connect({})).status).toBe(401);
    await eventually(async () => expect((await connect()).status).not.toBe(503));
  });
});
