import { WebSocketServer, type WebSocket as ServerSocket } from 'ws';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DIGEST_VECTORS } from '@tidings/protocol/digest';
import { FakeClock } from '../testing/fake-clock';
import { fullJitter } from './backoff';
import { browserTransport, type BrowserSocket } from './browser-transport';
import { Emitter } from './emitter';
import { nodeSha256 } from './node/sha256';
import { wsTransport } from './node/ws-transport';
import { ServerTime } from './server-time';
import { stateDigest, subtleSha256 } from './sha256';
import type { Transport } from './transport';

describe('backoff', () => {
  it.each([
    [0, 100],
    [1, 200],
    [3, 800],
    [4, 1000],
    [400, 1000],
  ])('attempt %i stays below %i', (attempt, ceiling) => {
    const bounds = { baseMs: 100, maxMs: 1000 };
    expect(fullJitter(attempt, bounds, () => 1)).toBe(ceiling);
    expect(fullJitter(attempt, bounds, () => 0)).toBe(0);
  });
});

describe('state digest', () => {
  describe.each([
    ['Node', nodeSha256],
    ['Web Crypto', subtleSha256],
  ])('by %s', (_, sha256) => {
    it.each(DIGEST_VECTORS)('$digest', async ({ messages, digest }) => {
      expect(await stateDigest(messages, sha256)).toBe(digest);
    });
  });
});

describe('server time', () => {
  it('follows the server, and a frame more than an HTTP date', () => {
    const clock = new FakeClock(0);
    const time = new ServerTime(clock);
    time.hint('Thu, 01 Jan 1970 00:01:00 GMT');
    expect(time.now()).toBe(60_500);
    time.heard('1970-01-01T01:00:00.250Z');
    clock.advance(1_000);
    expect(time.now()).toBe(3_601_250);
    time.hint('Thu, 01 Jan 1970 00:01:00 GMT');
    time.heard('nonsense');
    expect(time.now()).toBe(3_601_250);
  });
});

describe('emitter', () => {
  class Source extends Emitter<{ a: number }> {
    fire(n: number): void {
      this.emit('a', n);
    }
  }

  it('calls listeners in order until they are removed', () => {
    const source = new Source();
    const heard: string[] = [];
    const remove = source.on('a', (n) => heard.push(`first ${n}`));
    source.once('a', (n) => heard.push(`once ${n}`));
    source.fire(1);
    remove();
    source.fire(2);
    expect(heard).toEqual(['first 1', 'once 1']);
  });
});

/** The part of a WebSocket that both transports need, over a real one. */
class BrowserLike implements BrowserSocket {
  onmessage: BrowserSocket['onmessage'] = null;
  onclose: BrowserSocket['onclose'] = null;
  onerror: BrowserSocket['onerror'] = null;
  private readonly inner;

  constructor(url: string, protocols: string[]) {
    this.inner = wsTransport().open(url, protocols, {
      frame: (data) => this.onmessage?.({ data }),
      alive: () => undefined,
      closed: (code, reason) => this.onclose?.({ code, reason }),
    });
  }

  readonly readyState = 1;

  send(text: string): void {
    this.inner.send(text);
  }

  close(code = 1000): void {
    this.inner.close(code);
  }
}

describe.each([
  ['ws', () => wsTransport()],
  ['browser', () => browserTransport(BrowserLike)],
])('transport: %s', (name, make: () => Transport) => {
  let server: WebSocketServer;
  let url: string;
  const peers: ServerSocket[] = [];

  beforeEach(async () => {
    server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      handleProtocols: (protocols) => [...protocols][0]!,
    });
    await new Promise((resolve) => server.once('listening', resolve));
    url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    server.on('connection', (socket) => peers.push(socket));
  });
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.terminate();
    await new Promise((resolve) => server.close(resolve));
  });

  it('carries text both ways, names the protocols and tells the close code', async () => {
    const events: string[] = [];
    const told = new Promise<void>((resolve) => {
      server.once('connection', (peer) => {
        peer.on('message', (data) => {
          events.push(`server ${String(data)} ${peer.protocol}`);
          peer.ping();
          peer.send('pong');
          peer.close(4000, 'draining');
        });
        peer.send('hello');
      });
      const socket = make().open(url, ['first', 'second'], {
        frame: (text) => {
          events.push(text);
          if (text === 'hello') socket.send('ping');
        },
        alive: () => events.push('alive'),
        closed: (code, reason) => {
          events.push(`${code} ${reason}`);
          resolve();
        },
      });
    });
    await told;
    const alive = name === 'ws' ? ['alive'] : [];
    expect(events).toEqual(['hello', 'server ping first', ...alive, 'pong', '4000 draining']);
  });

  it('tells 1006 when nobody listens', async () => {
    const code = await new Promise<number>((resolve) => {
      make().open('ws://127.0.0.1:1/', ['p'], {
        frame: () => undefined,
        alive: () => undefined,
        closed: resolve,
      });
    });
    expect(code).toBe(1006);
  });
});

it.each([
  [
    '{"code":"busy","reason":"draining"}',
    { code: 'busy', retryAfterMs: 2_000, reason: 'draining' },
  ],
  ['{"code":"busy","reason":"of a later server"}', { code: 'busy', retryAfterMs: 2_000 }],
  ['{"code":"busy","reason":{"full":1}}', { code: 'busy', retryAfterMs: 2_000 }],
  ['{"code":"of a later server"}', undefined],
  ['null', undefined],
  ['<html>', undefined],
])('ws tells what a server answers instead of a socket: %s', async (body, expected) => {
  const server = createServer();
  server.on('upgrade', (_request, socket) => {
    const lines = ['HTTP/1.1 503 Busy', 'Retry-After: 2', `Content-Length: ${body.length}`];
    socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  try {
    const told = await new Promise((resolve) => {
      wsTransport().open(url, ['p'], {
        frame: () => undefined,
        alive: () => undefined,
        closed: (_code, _reason, refusal) => resolve(refusal),
      });
    });
    expect(told).toEqual(expected);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

it('a browser transport needs a WebSocket', () => {
  const holder = globalThis as { WebSocket?: unknown };
  const kept = holder.WebSocket;
  delete holder.WebSocket;
  expect(() => browserTransport()).toThrow('no WebSocket');
  if (kept !== undefined) holder.WebSocket = kept;
});
