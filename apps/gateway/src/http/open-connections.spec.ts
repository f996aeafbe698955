import { EventEmitter, once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { eventually } from '../../../../test/support/eventually';
import { serverClosed } from '../../../../test/support/server-closed';
import { ClientAddresses } from './client-addresses';
import { OpenConnections, type OpenConnectionsOptions } from './open-connections';

const clients: Socket[] = [];
let server: Server;

async function listening(options: Partial<OpenConnectionsOptions>) {
  const refused: string[] = [];
  server = createServer((_request, response) => response.end('well'));
  const connections = new OpenConnections({
    inAll: 100,
    perAddress: 100,
    socketsPerAddress: 0,
    addresses: new ClientAddresses(),
    shared: { has: () => false },
    refused: (reason) => void refused.push(reason),
    ...options,
  });
  connections.bound(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return refused;
}

/** A new connection; `answer`: all that it was sent, once it is closed. */
async function open(): Promise<{ socket: Socket; answer: Promise<string> }> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  clients.push(socket);
  socket.on('error', () => undefined);
  let text = '';
  socket.on('data', (data: Buffer) => (text += data.toString()));
  await once(socket, 'connect');
  return { socket, answer: once(socket, 'close').then(() => text) };
}

/** What a call on a connection is answered. */
async function call(socket: Socket): Promise<string> {
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const [data] = (await once(socket, 'data')) as [Buffer];
  return data.toString();
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  server.closeAllConnections();
  await serverClosed(server);
});

describe('open connections', () => {
  it('are refused above the number of one address with a typed answer, until others close', async () => {
    const refused = await listening({ perAddress: 2 });
    const [first, second] = [await open(), await open()];
    const answer = await (await open()).answer;
    expect(answer).toMatch(/^HTTP\/1.1 503 /);
    expect(answer).toMatch(/\r\nRetry-After: 2\r\n/);
    expect(answer).toContain('"code":"busy"');
    expect(refused).toEqual(['address_connections']);
    expect(await call(first.socket)).toContain('200 OK');
    second.socket.destroy();
    await eventually(async () => {
      const { socket } = await open();
      expect(await call(socket)).toContain('200 OK');
    });
  });

  it.each<[string, Partial<OpenConnectionsOptions>]>([
    ['of a shared address', { perAddress: 1, shared: { has: () => true } }],
    ['without a limit', { perAddress: 0 }],
  ])('%s are not counted', async (_name, options) => {
    const refused = await listening(options);
    const sockets = [await open(), await open(), await open()];
    for (const { socket } of sockets) expect(await call(socket)).toContain('200 OK');
    expect(refused).toEqual([]);
  });

  it('are dropped above the number of all, and counted', async () => {
    const refused = await listening({ inAll: 2 });
    const [first] = [await open(), await open()];
    expect(await (await open()).answer).toBe('');
    expect(refused).toEqual(['connections']);
    expect(await call(first.socket)).toContain('200 OK');
  });
});

describe('sockets of one address', () => {
  it('are bounded by themselves, until they close', () => {
    const refused: string[] = [];
    const connections = new OpenConnections({
      inAll: 100,
      perAddress: 0,
      socketsPerAddress: 2,
      addresses: new ClientAddresses(),
      shared: { has: (address) => address === '10.0.0.9' },
      refused: (reason) => void refused.push(reason),
    });
    const from = (remoteAddress: string) => ({ socket: { remoteAddress }, headers: {} }) as never;
    const sockets = Array.from({ length: 4 }, () => new EventEmitter());
    const take = (n: number, address: string) => () =>
      connections.takeSocket(from(address), sockets[n]!);
    take(0, '10.0.0.1')();
    take(1, '10.0.0.1')();
    expect(take(2, '10.0.0.1')).toThrow('Too many connections');
    take(3, '10.0.0.2')();
    sockets[2]!.emit('close');
    sockets[0]!.emit('close');
    take(0, '10.0.0.1')();
    for (let n = 0; n < 9; n++) take(3, '10.0.0.9')();
    expect(refused).toEqual(['address_connections']);
  });
});
