import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { eventually } from '../support/eventually';
import { TcpProxy } from '../support/tcp-proxy';

const CHUNKS = 400;

describe('a proxy in front of a server', () => {
  it('keeps the order of bytes, however late they are, and when its faults end meanwhile', async () => {
    let came = '';
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.setEncoding('latin1').on('data', (text: string) => (came += text));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const proxy = await TcpProxy.start({
      target: { port: (server.address() as AddressInfo).port },
    });
    Object.assign(proxy.toServer, { delayMs: 5, jitterMs: 10, sliceBytes: 3, loss: 0.02 });
    const client = connect({ port: proxy.port, host: '127.0.0.1', noDelay: true });
    let said = '';
    for (let n = 0; n < CHUNKS; n++) {
      const text = `${n} `;
      said += text;
      client.write(text);
      await new Promise((resolve) => setImmediate(resolve));
      if (n === CHUNKS / 2) proxy.heal();
    }
    await eventually(() => expect(came).toBe(said));
    client.destroy();
    await proxy.stop();
    server.close();
  });
});
