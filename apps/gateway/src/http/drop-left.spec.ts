import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import express, { json, type Request, type Response } from 'express';
import { eventually } from '../../../../test/support/eventually';
import { serverClosed } from '../../../../test/support/server-closed';
import { dropLeft } from './drop-left';

describe('a change whose sender has left', () => {
  let server: Server;
  let counted: string[];
  let done: string[];

  beforeEach(async () => {
    counted = [];
    done = [];
    const app = express();
    app.use(
      json(),
      dropLeft((reason) => void counted.push(reason)),
    );
    app.use((request: Request, response: Response) => {
      done.push(request.method);
      response.end();
    });
    server = createServer(app);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    server.closeAllConnections();
    return serverClosed(server);
  });

  /** Sends a call and, when told to, the end of the connection with it. */
  async function send(method: string, leaves: boolean): Promise<void> {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    await once(socket, 'connect');
    const call =
      `${method} / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
      'Content-Length: 2\r\n\r\n{}';
    if (leaves) socket.end(call);
    else socket.write(call);
  }

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('is not carried out (%s)', async (method) => {
    await send(method, true);
    await eventually(() => expect(counted).toEqual(['left']));
    expect(done).toEqual([]);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('is, while they wait (%s)', async (method) => {
    await send(method, false);
    await eventually(() => expect(done).toEqual([method]));
    expect(counted).toEqual([]);
  });

  it('is told from a question, which changes nothing', async () => {
    await send('GET', true);
    await eventually(() => expect(done).toEqual(['GET']));
  });
});
