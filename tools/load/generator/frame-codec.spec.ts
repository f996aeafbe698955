import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough, type Writable } from 'node:stream';
import * as ws from 'ws';
import {
  FrameDecoder,
  FrameError,
  OPCODES,
  clientHeaderBytes,
  closePayload,
  encodeClientFrame,
} from './frame-codec';
import { RawSocket, UpgradeRefused } from './raw-socket';

type WebSocket = ws.WebSocket;

/** Parts of `ws` that its types leave out. */
const { Receiver, Sender } = ws as unknown as {
  Receiver: new (options: { isServer: boolean }) => Writable;
  Sender: {
    new (stream: Writable): {
      close(code: number, reason: Buffer, mask: boolean, done: () => void): void;
    };
    frame(payload: Buffer, options: object): Buffer[];
  };
};

interface Seen {
  texts: string[];
  pings: string[];
  closes: [number, string][];
}

function decoder(maxMessageBytes = 1 << 20): { decoder: FrameDecoder; seen: Seen } {
  const seen: Seen = { texts: [], pings: [], closes: [] };
  const sink = {
    text: (bytes: Buffer, start: number, end: number) =>
      void seen.texts.push(bytes.toString('utf8', start, end)),
    ping: (payload: Buffer) => void seen.pings.push(payload.toString()),
    close: (code: number, reason: string) => void seen.closes.push([code, reason]),
  };
  return { decoder: new FrameDecoder(sink, maxMessageBytes), seen };
}

/** What `ws` writes as a server. */
function wsServerBytes(write: (sender: InstanceType<typeof Sender>) => void): Buffer {
  const stream = new PassThrough();
  write(new Sender(stream));
  const pieces: Buffer[] = [];
  // From Node 26 on one read gives one piece.
  for (let piece = stream.read() as Buffer | null; piece; piece = stream.read() as Buffer | null) {
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

const TEXT = { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: false };

function serverText(text: string): Buffer {
  return Buffer.concat(Sender.frame(Buffer.from(text), TEXT));
}

const SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000];

describe('encodeClientFrame', () => {
  it.each(SIZES)('writes what ws reads, %i bytes', async (size) => {
    const text = 'x'.repeat(size);
    const receiver = new Receiver({ isServer: true });
    const message = new Promise<string>((resolve, reject) => {
      receiver.on('message', (data: Buffer) => resolve(data.toString()));
      receiver.on('error', reject);
    });
    const frame = encodeClientFrame(Buffer.from(text));
    expect(frame.length).toBe(clientHeaderBytes(size) + size);
    receiver.write(frame);
    expect(await message).toBe(text);
  });
});

describe('FrameDecoder', () => {
  it.each(SIZES)('reads what ws writes, %i bytes', (size) => {
    const { decoder: d, seen } = decoder();
    const text = 'é'.repeat(size >> 1);
    d.push(serverText(text));
    expect(seen.texts).toEqual([text]);
  });

  it('reads frames cut at every byte', () => {
    const bytes = Buffer.concat([serverText('one'), serverText('t'.repeat(300)), serverText('')]);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { decoder: d, seen } = decoder();
      d.push(bytes.subarray(0, cut));
      d.push(bytes.subarray(cut));
      expect(seen.texts).toEqual(['one', 't'.repeat(300), '']);
    }
  });

  it('reads a byte at a time, from one buffer that is used again', () => {
    const { decoder: d, seen } = decoder();
    const reused = Buffer.alloc(8);
    for (const byte of Buffer.concat([serverText('abc'), serverText('x'.repeat(200))])) {
      reused[0] = byte;
      d.push(reused, 1);
    }
    expect(seen.texts).toEqual(['abc', 'x'.repeat(200)]);
  });

  it('joins fragments, with a ping between them', () => {
    const { decoder: d, seen } = decoder();
    const fragment = (text: string, fin: boolean, opcode: number): Buffer =>
      Buffer.concat(Sender.frame(Buffer.from(text), { ...TEXT, fin, opcode }));
    d.push(fragment('', false, OPCODES.text));
    d.push(fragment('ab', false, OPCODES.continuation));
    d.push(fragment('p', true, OPCODES.ping));
    d.push(fragment('cd', true, OPCODES.continuation));
    d.push(serverText('next'));
    expect(seen).toEqual({ texts: ['abcd', 'next'], pings: ['p'], closes: [] });
  });

  it('tells close codes and reasons', () => {
    const { decoder: d, seen } = decoder();
    d.push(wsServerBytes((sender) => sender.close(4008, Buffer.from('too slow'), false, () => {})));
    d.push(Buffer.from([0x88, 0]));
    expect(seen.closes).toEqual([
      [4008, 'too slow'],
      [1005, ''],
    ]);
  });

  it.each([
    ['a masked frame', encodeClientFrame(Buffer.from('x'))],
    ['a reserved bit', Buffer.from([0xc1, 0])],
    ['a binary frame', Buffer.from([0x82, 0])],
    ['an unknown opcode', Buffer.from([0x8b, 0])],
    ['a continuation of nothing', Buffer.from([0x80, 0])],
    ['a fragmented ping', Buffer.from([0x09, 0])],
    ['a long ping', Buffer.concat([Buffer.from([0x89, 126, 0, 126]), Buffer.alloc(126)])],
    ['a close of one byte', Buffer.from([0x88, 1, 0])],
    ['a text inside a text', Buffer.from([0x01, 0, 0x81, 0])],
    ['a frame beyond the limit', Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 0x20, 0, 0])],
  ])('refuses %s', (_, bytes) => {
    expect(() => decoder().decoder.push(bytes)).toThrow(FrameError);
  });

  it('refuses fragments that add up beyond the limit', () => {
    const { decoder: d } = decoder(10);
    d.push(Buffer.from([0x01, 6, ...Buffer.from('abcdef')]));
    expect(() => d.push(Buffer.from([0x80, 6, ...Buffer.from('abcdef')]))).toThrow(FrameError);
  });
});

describe('RawSocket against a ws server', () => {
  const server = createServer();
  const sockets = new ws.WebSocketServer({ noServer: true });
  let url = '';

  beforeAll(async () => {
    server.on('upgrade', (request, socket, head) => {
      if (request.url === '/refused') socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
      else if (request.url === '/silent') socket.destroy();
      else sockets.handleUpgrade(request, socket, head, (peer) => sockets.emit('connection', peer));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(async () => {
    sockets.clients.forEach((client) => client.terminate());
    await new Promise((resolve) => server.close(resolve));
  });

  async function open(): Promise<{
    raw: RawSocket;
    peer: WebSocket;
    texts: string[];
    closed: Promise<[number, string]>;
  }> {
    const texts: string[] = [];
    let tellClosed: (end: [number, string]) => void = () => undefined;
    const closed = new Promise<[number, string]>((resolve) => (tellClosed = resolve));
    const connected = new Promise<WebSocket>((resolve) => {
      sockets.once('connection', (peer) => {
        // at once: may come in one packet with the upgrade's answer
        peer.send('welcome');
        resolve(peer);
      });
    });
    const raw = await RawSocket.open(
      { url: `${url}/v1/ws`, protocols: ['tidings.v1.json', 'ticket.abc'] },
      {
        onText: (bytes, start, end) => void texts.push(bytes.toString('utf8', start, end)),
        onClosed: (code, reason) => tellClosed([code, reason]),
      },
    );
    return { raw, peer: await connected, texts, closed };
  }

  it('sends, receives, answers pings and is told the close code', async () => {
    const { raw, peer, texts, closed } = await open();
    expect(peer.protocol).toBe('tidings.v1.json');
    const received = new Promise((resolve) =>
      peer.once('message', (data: Buffer) => resolve(data.toString())),
    );
    raw.write(encodeClientFrame(Buffer.from('hello')));
    expect(await received).toBe('hello');
    const pong = new Promise((resolve) =>
      peer.once('pong', (data: Buffer) => resolve(data.toString())),
    );
    peer.send('x'.repeat(200_000));
    peer.ping('beat');
    expect(await pong).toBe('beat');
    expect(texts).toEqual(['welcome', 'x'.repeat(200_000)]);
    peer.close(4008, 'too slow');
    expect(await closed).toEqual([4008, 'too slow']);
    expect(raw.isOpen).toBe(false);
  });

  it('closes from its side', async () => {
    const { raw, peer } = await open();
    const code = new Promise((resolve) => peer.once('close', resolve));
    raw.close(1000);
    expect(await code).toBe(1000);
  });

  it('tells an abnormal end', async () => {
    const { peer, closed } = await open();
    peer.terminate();
    expect((await closed)[0]).toBe(1006);
  });

  it.each([
    ['/refused', UpgradeRefused],
    ['/silent', Error],
  ])('rejects at %s', async (path, error) => {
    const owner = { onText: () => undefined, onClosed: () => undefined };
    await expect(RawSocket.open({ url: url + path, protocols: ['a'] }, owner)).rejects.toThrow(
      error,
    );
  });
});

it('makes close payloads', () => {
  expect(closePayload(4001).readUInt16BE(0)).toBe(4001);
});
