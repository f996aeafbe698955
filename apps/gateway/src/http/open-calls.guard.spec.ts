import { once } from 'node:events';
import { connect } from 'node:net';
import { eventually } from '../../../../test/support/eventually';
import { ask, startLoggedIn } from '../testing/asking';
import { OPEN_CALLS_PER_USER } from './open-calls.guard';

describe('calls of one user at a time', () => {
  it('are bounded until their answers are taken, or their connections have ended', async () => {
    const { gateway, token } = await startLoggedIn();
    gateway.answers['contacts.list'] = new Promise(() => undefined);
    const head = `GET /v1/contacts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    const sockets = Array.from({ length: OPEN_CALLS_PER_USER }, () => {
      const socket = connect(gateway.port, '127.0.0.1');
      socket.write(head);
      return socket;
    });
    const asked = () => gateway.calls.filter((call) => call.name === 'contacts.list').length;
    await eventually(() => expect(asked()).toBe(OPEN_CALLS_PER_USER));
    const refused = await ask(gateway, 'GET', '/blocks', { token });
    expect([refused.status, refused.body['code']]).toEqual([503, 'busy']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const closed = once(sockets[0]!, 'close');
    sockets[0]!.destroy();
    await closed;
    await eventually(async () => {
      expect((await ask(gateway, 'GET', '/blocks', { token })).status).toBe(200);
    });
    for (const socket of sockets) socket.destroy();
    await gateway.app.close();
  });
});
