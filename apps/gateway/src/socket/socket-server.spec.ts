import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import { TidingsError } from '@tidings/protocol/errors';
import { LIMITS } from '@tidings/protocol/limits';
import { WebSocket } from 'ws';
import { serverClosed } from '../../../../test/support/server-closed';
import { ClientAddresses } from '../http/client-addresses';
import type { Connection, Owner } from './connection';
import { ConnectionTable } from './connection-table';
import type { FrameRouter } from './frame-router';
import { SocketServer, type SocketServerParts } from './socket-server';

const TICKET = 'd'.repeat(23);
const PROTOCOLS = ['tidings.v1.json', `ticket.${TICKET}`];
const OWNER: Owner = { userId: 'u', deviceId: 'd', sessionGeneration: 1, generation: '1' };

interface Fixture {
  server: Server;
  sockets: SocketServer;
  url: string;
  opened: Connection[];
  received: { text: string; isBinary: boolean }[];
  closes: number[];
  failures: [connection: boolean, error: unknown][];
  taken: string[];
  refusals: string[];
}

let fixture: Fixture;

async function setUp(parts: Partial<SocketServerParts> = {}): Promise<Fixture> {
  const server = createServer((_request, response) => response.writeHead(404).end());
  const opened: Connection[] = [];
  const received: Fixture['received'] = [];
  const closes: number[] = [];
  const taken: string[] = [];
  const failures: Fixture['failures'] = [];
  const refusals: string[] = [];
  const table = new ConnectionTable();
  const router = {
    receive: (_connection: Connection, data: Buffer, isBinary: boolean) =>
      received.push({ text: data.toString(), isBinary }),
  };
  const sockets = new SocketServer({
    wrongTicket: () => Promise.reject(new TidingsError('unauthorized')),
    takeTicket: (ticket) => {
      taken.push(ticket);
      return taken.length > 1
        ? Promise.reject(new TidingsError('unauthorized'))
        : Promise.resolve(OWNER);
    },
    addresses: new ClientAddresses(),
    connections: { takeFor: () => undefined, takeSocket: () => undefined },
    allowedOrigins: ['https://app.example'],
    maxConnections: 1,
    admission: { admit: () => undefined, giveBack: () => undefined },
    isListed: () => true,
    frames: { perSecond: 1, burst: 5 },
    closeTimeoutMs: 200,
    table,
    router: router as unknown as FrameRouter,
    opened: (connection) => {
      table.add(connection);
      opened.push(connection);
    },
    closed: (_connection, code) => closes.push(code),
    close: (connection, code, reason) => connection.socket.close(code, reason),
    failed: (connection, error) => {
      failures.push([connection !== null, error]);
      connection?.socket.close(CLOSE_CODES.internalError);
    },
    refused: ({ code }) => void refusals.push(code),
    clock: () => 0,
    ...parts,
  });
  sockets.attach(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `ws://127.0.0.1:${port}/v1/ws`;
  return { server, sockets, url, opened, received, closes, failures, taken, refusals };
}

/** The HTTP status of an upgrade; 101 when a socket stands, which is ended again. */
function statusOf(
  url: string,
  protocols: string[],
  headers: Record<string, string> = {},
): Promise<{ status: number; retryAfter?: string; reason?: string; protocol?: string }> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, protocols, { headers, perMessageDeflate: true });
    socket.on('unexpected-response', (request, response) => {
      const retryAfter = response.headers['retry-after'];
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => {
        const { reason } = JSON.parse(body) as { reason?: string };
        resolve({
          status: response.statusCode ?? 0,
          ...(retryAfter && { retryAfter }),
          ...(reason && { reason }),
        });
        request.destroy();
      });
    });
    socket.on('open', () => {
      expect(socket.extensions).toBe('');
      resolve({ status: 101, protocol: socket.protocol });
      socket.terminate();
    });
    socket.on('error', () => undefined);
  });
}

async function opened(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, PROTOCOLS);
  socket.on('error', () => undefined);
  await once(socket, 'open');
  return socket;
}

function fail(): never {
  throw new Error('a defect');
}

beforeEach(async () => {
  fixture = await setUp();
});

afterEach(async () => {
  for (const connection of fixture.opened) connection.socket.terminate();
  fixture.server.closeAllConnections();
  await serverClosed(fixture.server);
});

describe('the upgrade', () => {
  it('selects the version and ignores offered compression', async () => {
    expect(await statusOf(fixture.url, PROTOCOLS)).toEqual({
      status: 101,
      protocol: 'tidings.v1.json',
    });
    expect(fixture.taken).toEqual([TICKET]);
  });

  it.each([
    { name: 'no ticket', protocols: ['tidings.v1.json'], status: 401 },
    { name: 'garbage for a ticket', protocols: ['tidings.v1.json', 'ticket.x'], status: 401 },
    { name: 'no version', protocols: [`ticket.${TICKET}`], status: 400 },
    { name: 'other version', protocols: ['tidings.v9.json', `ticket.${TICKET}`], status: 400 },
    { name: 'other path', path: '/v1/other', protocols: PROTOCOLS, status: 404 },
    { name: 'foreign origin', origin: 'https://evil.example', protocols: PROTOCOLS, status: 403 },
    { name: 'null origin', origin: 'null', protocols: PROTOCOLS, status: 403 },
    {
      name: 'origin with a suffix',
      origin: 'https://app.example.evil',
      protocols: PROTOCOLS,
      status: 403,
    },
    { name: 'listed origin', origin: 'https://app.example', protocols: PROTOCOLS, status: 101 },
  ])('$name: $status', async ({ protocols, path, origin, status }) => {
    const url = path ? fixture.url.replace('/v1/ws', path) : fixture.url;
    const headers: Record<string, string> = origin ? { origin } : {};
    expect((await statusOf(url, protocols, headers)).status).toBe(status);
    expect(fixture.taken.length).toBe(status === 101 ? 1 : 0);
  });

  it.each([
    { code: 'unauthorized' as const, status: 401 },
    { code: 'unavailable' as const, status: 503 },
  ])('answers $status when the ticket is $code', async ({ code, status }) => {
    const other = await setUp({ takeTicket: () => Promise.reject(new TidingsError(code)) });
    expect((await statusOf(other.url, PROTOCOLS)).status).toBe(status);
    await serverClosed(other.server);
  });

  it('notes what threw before there was a socket, and answers or cuts', async () => {
    const defect = new Error('a defect');
    const ticket = await setUp({ takeTicket: () => Promise.reject(defect) });
    expect((await statusOf(ticket.url, PROTOCOLS)).status).toBe(500);
    expect(ticket.failures).toEqual([[false, defect]]);
    const judged = await setUp({
      allowedOrigins: {
        includes: () => {
          throw defect;
        },
      } as unknown as string[],
    });
    const socket = new WebSocket(judged.url, PROTOCOLS, { origin: 'https://x.example' });
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toContain('socket hang up');
    expect(judged.failures).toEqual([[false, defect]]);
    for (const { server } of [ticket, judged]) await serverClosed(server);
  });

  it('says which bound it is that has no place', async () => {
    const busy = (): never => {
      throw new TidingsError('busy', { reason: 'address', retryAfterMs: 2_000 });
    };
    const { server, url } = await setUp({
      connections: { takeFor: () => undefined, takeSocket: busy },
    });
    expect(await statusOf(url, PROTOCOLS)).toMatchObject({ status: 503, reason: 'address' });
    await serverClosed(server);
  });

  it('asks nobody about a ticket, which stays good, while it lets nobody in', async () => {
    const { server, taken, refusals, url } = await setUp({
      admission: {
        admit: () => {
          throw new TidingsError('busy', { reason: 'pace', retryAfterMs: 7_300 });
        },
        giveBack: () => undefined,
      },
    });
    expect(await statusOf(url, PROTOCOLS)).toEqual({
      status: 503,
      retryAfter: '8',
      reason: 'pace',
    });
    expect([taken, refusals]).toEqual([[], ['busy']]);
    await serverClosed(server);
  });

  it('gives the place of a ticket that is not good to another, and no other place', async () => {
    let admitted = 0;
    const admission = { admit: () => void (admitted += 1), giveBack: () => void (admitted -= 1) };
    const { server, url } = await setUp({ admission, maxConnections: 9 });
    expect((await statusOf(url, PROTOCOLS)).status).toBe(101);
    expect((await statusOf(url, PROTOCOLS)).status).toBe(401);
    expect((await statusOf(url, ['tidings.v1.json'])).status).toBe(401);
    expect(admitted).toBe(1);
    await serverClosed(server);
  });

  it('takes no socket while others do not know that it is there', async () => {
    const { server, taken, url } = await setUp({ isListed: () => false });
    expect((await statusOf(url, PROTOCOLS)).status).toBe(503);
    expect(taken).toEqual([]);
    await serverClosed(server);
  });

  it('answers 503, which of them it is and when to come back while full or draining', async () => {
    const socket = await opened(fixture.url);
    expect(await statusOf(fixture.url, PROTOCOLS)).toEqual({
      status: 503,
      retryAfter: '2',
      reason: 'full',
    });
    socket.terminate();
    const draining = await setUp();
    draining.sockets.drain();
    expect(await statusOf(draining.url, PROTOCOLS)).toMatchObject({
      status: 503,
      reason: 'draining',
    });
    // an operator sees them
    expect([fixture.refusals.at(-1), draining.refusals]).toEqual(['busy', ['busy']]);
    await serverClosed(draining.server);
  });
});

describe('a socket', () => {
  it('hands on text and binary frames', async () => {
    const socket = await opened(fixture.url);
    socket.send('text');
    socket.send(Buffer.from('bytes'));
    socket.ping();
    await once(socket, 'pong');
    expect(fixture.received).toEqual([
      { text: 'text', isBinary: false },
      { text: 'bytes', isBinary: true },
    ]);
  });

  it.each([
    { name: 'a frame of the limit and one byte', code: CLOSE_CODES.frameTooLarge },
    { name: 'fragments without end', code: 1008 },
  ])('is closed for $name', async ({ code }) => {
    const socket = await opened(fixture.url);
    const closed = once(socket, 'close');
    if (code === CLOSE_CODES.frameTooLarge) socket.send('x'.repeat(LIMITS.clientFrameBytes + 1));
    else for (let i = 0; i < 65; i++) socket.send('x', { fin: false });
    expect((await closed)[0]).toBe(code);
    expect(fixture.received).toEqual([]);
  });

  it('takes a frame of exactly the limit, and one of 64 fragments', async () => {
    const socket = await opened(fixture.url);
    for (let i = 1; i <= 64; i++) socket.send('x', { fin: i === 64 });
    socket.send('x'.repeat(LIMITS.clientFrameBytes));
    socket.ping();
    await once(socket, 'pong');
    expect(fixture.received.map(({ text }) => text.length)).toEqual([64, LIMITS.clientFrameBytes]);
  });

  it.each([
    { name: 'a frame', parts: { router: { receive: fail } as unknown as FrameRouter } },
    { name: 'opening it', parts: { opened: () => Promise.reject(new Error('a defect')) } },
  ])('is closed with 1011 when $name fails, and the server goes on', async ({ parts }) => {
    const other = await setUp({ ...parts, maxConnections: 2 });
    const socket = await opened(other.url);
    const closed = once(socket, 'close');
    socket.send('text');
    expect((await closed)[0]).toBe(CLOSE_CODES.internalError);
    expect(other.failures).toEqual([[true, new Error('a defect')]]);
    expect((await statusOf(other.url, PROTOCOLS)).status).toBe(401);
    await serverClosed(other.server);
  });

  it('is closed for a flood of pings', async () => {
    const socket = await opened(fixture.url);
    const closed = once(socket, 'close');
    for (let i = 0; i < 20; i++) socket.ping();
    expect((await closed)[0]).toBe(CLOSE_CODES.tooManyFrames);
  });

  it.each([
    { name: 'invalid UTF-8', bytes: [0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], code: 1007 },
    { name: 'an unmasked frame', bytes: [0x81, 0x01, 0x61], code: 1002 },
    { name: 'a reserved opcode', bytes: [0x83, 0x80, 0, 0, 0, 0], code: 1002 },
    { name: 'a reserved bit', bytes: [0xc1, 0x80, 0, 0, 0, 0], code: 1002 },
    { name: 'a long control frame', bytes: [0x89, 0xfe, 0, 126, 0, 0, 0, 0], code: 1002 },
  ])('is closed for $name with $code', async ({ bytes, code }) => {
    const raw = connect(Number(new URL(fixture.url).port), '127.0.0.1');
    const lines = [
      'GET /v1/ws HTTP/1.1',
      'Host: x',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      `Sec-WebSocket-Protocol: ${PROTOCOLS.join(', ')}`,
    ];
    raw.write(`${lines.join('\r\n')}\r\n\r\n`);
    await once(raw, 'data');
    raw.write(Buffer.from(bytes));
    const [close] = (await once(raw, 'data')) as [Buffer];
    expect(close[0]).toBe(0x88);
    expect(close.readUInt16BE(2)).toBe(code);
    raw.destroy();
    expect(fixture.received).toEqual([]);
  });
});
