import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TidingsError } from '@tidings/protocol/errors';
import { LIMITS } from '@tidings/protocol/limits';
import { eventually } from '../../../../test/support/eventually';
import { serverClosed } from '../../../../test/support/server-closed';
import type { Slot } from './slots';
import { receiveBody, type Received } from './receive-body';

let dir: string;
let server: Server;
let bodies = 0;
let windowMs: number;
let outcome: Promise<Received | string>;
let yielding: Parameters<Slot['yielding']>[0];
const slot = { yielding: (how: typeof yielding) => void (yielding = how) };

beforeEach(async () => {
  bodies = 0;
  windowMs = 5_000;
  dir = mkdtempSync(join(tmpdir(), 'tidings-receive-'));
  server = createServer((request, response) => {
    const limit = (head: Buffer): number => {
      if (head.includes('bad')) throw new TidingsError('unsupported_media');
      return 1_000_000;
    };
    const options = { path: join(dir, `body-${bodies++}`), headBytes: 4, limit, windowMs, slot };
    outcome = receiveBody(request, options).catch((error: unknown) =>
      error instanceof TidingsError ? `${error.code} ${error.status}` : String(error),
    );
    void outcome.then((what) => response.end(JSON.stringify(what)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  server.closeAllConnections();
  await serverClosed(server);
  rmSync(dir, { recursive: true });
});

const address = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

async function post(body: string | Buffer | ReadableStream<Uint8Array>): Promise<unknown> {
  const stream = body instanceof ReadableStream;
  const init = { method: 'POST', body: body as string, ...(stream && { duplex: 'half' as const }) };
  return (await fetch(address(), init)).json();
}

function raw(head: string): Socket {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${head}`);
  return socket.resume();
}

describe('receiveBody', () => {
  it.each([0, 3, 4, 1_000_000])('takes %i bytes as they are', async (size) => {
    const bytes = Buffer.alloc(size, 'good');
    const hash = createHash('sha256').update(bytes).digest('base64url');
    expect(await post(bytes)).toEqual({ size, hash });
    expect(readFileSync(join(dir, 'body-0')).equals(bytes)).toBe(true);
  });

  it('takes a body without a length, in many pieces', async () => {
    const pieces = Array.from({ length: 50 }, (_, i) => Buffer.alloc(i, 'x'));
    expect(await post(ReadableStream.from(pieces))).toMatchObject({ size: 1225 });
  });

  it('refuses one byte too many, and answers although more would come', async () => {
    expect(await post(Buffer.alloc(1_000_001, 'x'))).toBe('payload_too_large 413');
    expect(await post(Buffer.alloc(30_000_000, 'x'))).toBe('payload_too_large 413');
  });

  it('refuses by the first bytes, also when there are only few', async () => {
    expect(await post('bad!'.repeat(100_000))).toBe('unsupported_media 415');
    expect(await post('bad')).toBe('unsupported_media 415');
  });

  it('refuses a body that breaks off', async () => {
    const socket = raw('Content-Length: 10\r\n\r\n1234');
    await once(server, 'request');
    socket.destroy();
    expect(await outcome).toBe('invalid_request 400');
  });

  it.each([
    ['stands still', 0, 'invalid_request 408'],
    ['drips', 0.001, 'invalid_request 408'],
    ['keeps to the least throughput', 1.3, 'ended'],
  ])('a body that %s', async (_, share, expected) => {
    windowMs = 1_200;
    const socket = raw('Content-Length: 1000000\r\n\r\n1234');
    socket.on('error', () => undefined);
    await once(server, 'request');
    // By the time that has gone: a timer that comes late brings more.
    let before = performance.now();
    const drip = setInterval(() => {
      const now = performance.now();
      const bytes = Math.ceil(((now - before) / 1_000) * share * LIMITS.uploadBytesPerSecond);
      before = now;
      if (share > 0) socket.write(Buffer.alloc(bytes, 'x'));
    }, 75);
    const ended = new Promise((resolve) => setTimeout(resolve, 2.5 * windowMs, 'ended'));
    expect(await Promise.race([outcome, ended])).toBe(expected);
    clearInterval(drip);
    socket.destroy();
  });

  it('yields its place when it is slow, and only after two seconds', async () => {
    const socket = raw('Content-Length: 1000000\r\n\r\n1234');
    await once(server, 'request');
    const begun = performance.now();
    await eventually(() => expect(yielding?.slow()).toBe(true));
    expect(performance.now() - begun).toBeGreaterThan(1_500);
    yielding!.cut();
    expect(await outcome).toBe('busy 503');
    expect(yielding).toBeNull();
    socket.destroy();
  });
});
