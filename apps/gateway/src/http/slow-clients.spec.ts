import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import express, { type Request, type Response } from 'express';
import { eventually } from '../../../../test/support/eventually';
import { serverClosed } from '../../../../test/support/server-closed';
import { boundBody, boundClients, OPEN_PER_CONNECTION, PIECES, SLOW_CLIENTS } from './slow-clients';

/** An answer that no buffer of a system takes. */
const LARGE = Buffer.alloc(16 * 1024 * 1024, 'x');

describe('slow clients', () => {
  let server: Server;
  let cuts: string[];

  beforeEach(async () => {
    cuts = [];
    const count = (reason: string): void => void cuts.push(reason);
    const times = { ...SLOW_CLIENTS, bodyMs: 300, lingerMs: 200, unreadMs: 2_000 };
    const app = express();
    app.use(boundClients(count, times));
    app.get('/large', (_: Request, response: Response) => void response.send(LARGE));
    app.get('/never', () => undefined);
    app.post('/refused', (_: Request, response: Response) => void response.status(401).end());
    const takeBody = (bound: typeof times) => (request: Request, response: Response) => {
      boundBody(request, response, count, bound);
      request.resume().once('end', () => !response.headersSent && response.end());
    };
    app.post('/body', takeBody(times));
    // megabytes take a busy machine longer than the short time of these tests
    app.post('/pieces', takeBody(SLOW_CLIENTS));
    server = createServer(app);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(() => {
    server.closeAllConnections();
    return serverClosed(server);
  });

  function open(text: string): { socket: Socket; seen: () => string; closed: Promise<unknown> } {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    let seen = '';
    socket.on('data', (data: Buffer) => (seen += data.toString('latin1')));
    socket.on('error', () => undefined);
    socket.write(text);
    // once() of events would fail where the cut is a reset.
    const closed = new Promise((resolve) => socket.once('close', resolve));
    return { socket, seen: () => seen, closed };
  }
  const post = (path: string): string =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n`;
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

  it('lets a refused sender read the answer, then cuts it', async () => {
    const { socket, seen, closed } = open(post('/refused'));
    await eventually(() => expect(seen()).toContain('HTTP/1.1 401'));
    const drip = setInterval(() => socket.write('x'), 20);
    await closed;
    clearInterval(drip);
    expect(cuts).toEqual(['refused_body']);
  });

  it('leaves a refused sender alone who comes to the end of the body', async () => {
    const { socket, seen } = open(post('/refused'));
    await eventually(() => expect(seen()).toContain('HTTP/1.1 401'));
    socket.write(Buffer.alloc(1000, 'x'));
    socket.write(get('/never'));
    // As long again as the cut would have taken.
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect([socket.closed, cuts]).toEqual([false, []]);
    socket.destroy();
  });

  it('answers a body that is late with 408, then cuts it', async () => {
    const { socket, seen, closed } = open(post('/body'));
    const drip = setInterval(() => socket.write('x'), 20);
    await closed;
    clearInterval(drip);
    expect(seen()).toMatch(/^HTTP\/1\.1 408 [^]*"code":"invalid_request"/);
    expect(cuts[0]).toBe('slow_body');
  });

  it('cuts whoever does not take an answer', async () => {
    const { socket } = open('');
    socket.pause();
    socket.write(get('/large'));
    await eventually(() => expect(cuts).toEqual(['unread_answer']));
    await eventually(() => expect(socket.resume().closed).toBe(true));
  });

  it('leaves alone who takes it', async () => {
    const { socket, seen } = open(get('/large'));
    await eventually(() => expect(seen().length).toBeGreaterThan(LARGE.length));
    expect([socket.closed, cuts]).toEqual([false, []]);
    socket.destroy();
  });

  it('answers no more requests at once on one connection than allowed', async () => {
    const { closed, socket } = open(get('/never').repeat(OPEN_PER_CONNECTION + 2));
    await eventually(() => expect(cuts).toEqual(['pipelined', 'pipelined']));
    socket.destroy();
    await closed;
  });

  describe('a body in pieces', () => {
    const HEAD = 'POST /pieces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    const inChunks = (count: number, bytes: number): string =>
      HEAD + `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`.repeat(count);

    it('of one byte each is taken up to a number, then cut', async () => {
      const fits = open(inChunks(PIECES.free, 1) + '0\r\n\r\n');
      await eventually(() => expect(fits.seen()).toContain('HTTP/1.1 200'));
      expect([fits.socket.closed, cuts]).toEqual([false, []]);
      fits.socket.destroy();
      const { closed } = open(inChunks(PIECES.free + 10, 1));
      await closed;
      expect(cuts).toEqual(['small_pieces']);
    });

    it('that bring enough has no such bound', async () => {
      const { seen, socket } = open(inChunks(3 * PIECES.free, PIECES.bytes) + '0\r\n\r\n');
      await eventually(() => expect(seen()).toContain('HTTP/1.1 200'));
      expect(cuts).toEqual([]);
      socket.destroy();
    });
  });
});
