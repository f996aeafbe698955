import type { Socket } from 'node:net';
import fc from 'fast-check';
import { uuidv7 } from 'uuidv7';
import WebSocket from 'ws';
import { clientFrame, SUBPROTOCOL, TICKET_PROTOCOL_PREFIX } from '@tidings/protocol/frames';
import { type Random, randomBelow, seededRandom } from '../../tools/load/random';
import { mutated, mutatedText, mutations, textMutations } from '../inputs/mutations';
import { validInputs } from '../inputs/valid-inputs';
import type { ChatUser } from '../support/chat-user';
import { Counts, paced } from './pace';

/** What hostile frames may name: ids of theirs, and of others. */
export interface FuzzIds {
  conversations: readonly string[];
  users: readonly string[];
}

const PER_SECOND = 200;
/** Frames made at a time. */
const BATCH = 200;
/** Of ten frames with a conversation, a user or a message so many name a real one. */
const REAL = 0.7;
const OPEN_MS = 10_000;

/** Answers to a frame, as opposed to pushes. */
const ANSWERS = new Set(['error', 'sent', 'held', 'changed', 'synced', 'pong']);

const DEEP = 20_000;

/** Texts that are no good frames in ways that no change of a good one leads to. */
const ODD_TEXTS: readonly string[] = [
  '',
  ' ',
  '\ufeff{"type":"ping"}',
  'null',
  '"ping"',
  '-0',
  '1e999999',
  '9'.repeat(60_000),
  '['.repeat(DEEP) + ']'.repeat(DEEP),
  '{"a":'.repeat(DEEP / 4) + '1' + '}'.repeat(DEEP / 4),
  '{"type":"ping","type":"send"}',
  '{"type":"send","type":"ping","ref":"twice"}',
  '{"type":"ping","__proto__":{"ref":"x"}}',
  '{"__proto__":{"type":"ping"}}',
  '{"type":"ping","constructor":{"prototype":{"polluted":1}}}',
  '{"type":"ping","ref":"\\u0000"}',
  '{"type":"ping","ref":"\\ud800"}',
  '{"type":"ping","ref":"\u001b[2J\r\n"}',
  '{"type":"ping","ref":1e400}',
  '{"type":"read","conversationId":"x","position":"aaaaaaaaaaaaaaaaaaa"}',
  '{"type":"read","conversationId":"x","position":9223372036854775807}',
  '{"type":"sync","ref":"r","since":"aaaaaaaaaaaaaaaaaaa"}',
  `{"type":"sync","ref":"r","conversations":[${'{},'.repeat(5_000)}{}]}`,
  '{"type":"\u0000"}',
  '{"type":"ping"}\u0000',
  '{"type":"ping"}{"type":"ping"}',
  `{"type":"ping","ref":"r"${' '.repeat(65_000)}}`,
];

/** Bytes for the wire: frames of RFC 6455 that may lie in any of their bits. */
function wireFrame(
  payload: Uint8Array,
  { head = 0x81, masked = true, length = payload.length } = {},
): Buffer {
  const size = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const bytes = Buffer.alloc(2 + size);
  bytes[0] = head;
  bytes[1] = (masked ? 0x80 : 0) | (size === 0 ? length : size === 2 ? 126 : 127);
  if (size === 2) bytes.writeUInt16BE(length, 2);
  if (size === 8) bytes.writeBigUInt64BE(BigInt(length), 2);
  // a mask of zeros changes nothing
  return Buffer.concat([bytes, Buffer.alloc(masked ? 4 : 0), payload]);
}

const PING = Buffer.from('{"type":"ping","ref":"in pieces"}');
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** What a server closes a connection for, by name. */
const BAD_WIRE: Readonly<Record<string, (random: Random) => Buffer>> = {
  'binary frame': () => wireFrame(PING, { head: 0x82 }),
  'invalid UTF-8': () => wireFrame(bytes(0x22, 0xc3, 0x28, 0xff, 0x22)),
  'UTF-8 of a surrogate': () => wireFrame(bytes(0x22, 0xed, 0xa0, 0x80, 0x22)),
  'frame without a mask': () => wireFrame(PING, { masked: false }),
  'reserved opcode': (random) => wireFrame(PING, { head: 0x83 + randomBelow(random, 5) }),
  'reserved control opcode': (random) => wireFrame(PING, { head: 0x8b + randomBelow(random, 5) }),
  'reserved bits': (random) => wireFrame(PING, { head: 0x91 + 16 * randomBelow(random, 7) }),
  'long ping': () => wireFrame(Buffer.alloc(126), { head: 0x89 }),
  'ping in pieces': () => wireFrame(PING, { head: 0x09 }),
  'continuation of nothing': () => wireFrame(PING, { head: 0x80 }),
  'text within a text': () => Buffer.concat([wireFrame(PING, { head: 0x01 }), wireFrame(PING)]),
  'close of one byte': () => wireFrame(bytes(3), { head: 0x88 }),
  'close with a reserved code': () => wireFrame(bytes(0x03, 0xed), { head: 0x88 }),
  'close with a bad reason': () => wireFrame(bytes(0x03, 0xe8, 0xff, 0xfe), { head: 0x88 }),
  'close with a good reason': () => wireFrame(bytes(0x03, 0xe8, 0x62), { head: 0x88 }),
  'length of 2^62': () => wireFrame(PING, { length: 2 ** 62 }),
  'frame above the limit': () => wireFrame(Buffer.alloc(66_000, 0x20)),
  'pieces above the limit': () =>
    Buffer.concat([
      wireFrame(Buffer.alloc(40_000, 0x20), { head: 0x01 }),
      wireFrame(Buffer.alloc(40_000, 0x20), { head: 0x80 }),
    ]),
  'random bytes': (random) =>
    Buffer.from(Array.from({ length: 200 }, () => randomBelow(random, 256))),
};

/** Unusual, and right. */
const GOOD_WIRE: Readonly<Record<string, () => Buffer>> = {
  'text in pieces of one byte': () =>
    Buffer.concat([
      ...[...PING].map((byte, i) => wireFrame(bytes(byte), { head: i === 0 ? 0x01 : 0x00 })),
      wireFrame(bytes(), { head: 0x80 }),
    ]),
  'ping between pieces': () =>
    Buffer.concat([
      wireFrame(PING.subarray(0, 9), { head: 0x01 }),
      wireFrame(Buffer.alloc(125), { head: 0x89 }),
      wireFrame(PING.subarray(9), { head: 0x80 }),
    ]),
  'pong that nobody asked for': () =>
    Buffer.concat([wireFrame(bytes(1, 2, 3), { head: 0x8a }), wireFrame(PING)]),
};

/** Hostile frames over real sockets of logged-in users, spread over the gateways. */
export class FrameFuzz {
  /** By kind. */
  readonly sent = new Counts();
  /** Frames that answer one, by type; errors by code. */
  readonly answers = new Counts();
  /** Connections that the server closed, by code. */
  readonly closes = new Counts();
  /** Why a connection could not be opened, and how often. */
  readonly refusals = new Counts();
  private readonly random: Random;
  private readonly texts: Iterator<string, never>;
  private readonly connections: (Connection | null)[];
  private wires = 0;

  /** `devices`: each has one connection, at one of the gateways in turn. */
  constructor(
    private readonly devices: readonly ChatUser[],
    private readonly gateways: readonly string[],
    private readonly ids: FuzzIds,
    seed: number,
    /** Told of every frame that comes, with who got it. */
    private readonly onFrame: (user: ChatUser, frame: Record<string, unknown>) => void = () => {},
  ) {
    this.connections = devices.map(() => null);
    this.random = seededRandom(seed);
    this.texts = this.mutatedFrames(seed);
  }

  /** For so many milliseconds. */
  async run(forMs: number, perSecond = PER_SECOND): Promise<void> {
    await paced(forMs, perSecond, this.devices.length, (n) => this.one(n));
  }

  end(): void {
    for (const connection of this.connections) connection?.socket.terminate();
  }

  private async one(n: number): Promise<void> {
    const connection = this.connections[n] ?? (await this.open(n));
    if (!connection) return;
    const { socket, wire } = connection;
    if (socket.readyState !== WebSocket.OPEN) return;
    const kind = this.random();
    if (kind < 0.6) return this.send(socket, 'mutated frame', this.texts.next().value);
    if (kind < 0.9) return this.send(socket, 'odd text', this.of(ODD_TEXTS));
    // in turns, so that each comes often: those that end the connection are rarer
    const kinds = kind < 0.97 ? GOOD_WIRE : BAD_WIRE;
    const names = Object.keys(kinds);
    const name = names[this.wires++ % names.length]!;
    this.sent.add(name);
    wire.write(kinds[name]!(this.random));
  }

  private send(socket: WebSocket, kind: string, text: string): void {
    this.sent.add(kind);
    socket.send(text);
  }

  private async open(n: number): Promise<Connection | null> {
    const user = this.devices[n]!;
    const at = n % this.gateways.length;
    try {
      const { ticket, url } = await user.ticket(this.gateways[at]);
      return await this.upgrade(n, user, url, ticket);
    } catch (error) {
      this.refusals.add(String(error).slice(0, 100));
      return null;
    }
  }

  private upgrade(n: number, user: ChatUser, url: string, ticket: string): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const protocols = [SUBPROTOCOL, TICKET_PROTOCOL_PREFIX + ticket];
      const socket = new WebSocket(url, protocols, { handshakeTimeout: OPEN_MS });
      let wire: Socket;
      socket.on('upgrade', (response) => (wire = response.socket));
      socket.on('open', () => {
        const connection = { socket, wire };
        this.connections[n] = connection;
        resolve(connection);
      });
      socket.on('message', (data: Buffer) => this.answered(user, data));
      socket.on('close', (code) => {
        this.connections[n] = null;
        this.closes.add(code);
      });
      socket.on('error', reject);
    });
  }

  private answered(user: ChatUser, data: Buffer): void {
    const frame = JSON.parse(data.toString('utf8')) as { type: string; code?: string };
    this.onFrame(user, frame);
    if (ANSWERS.has(frame.type)) this.answers.add(frame.code ?? frame.type);
  }

  private of<T>(list: readonly T[]): T {
    return list[randomBelow(this.random, list.length)]!;
  }

  /** Good frames with changed fields, and with changed characters, without end; the same for each seed. */
  private *mutatedFrames(seed: number): Generator<string, never> {
    const one = fc.record({
      frame: validInputs(clientFrame),
      changes: mutations,
      textChanges: fc.option(textMutations, { freq: 3 }),
    });
    for (let batch = 0; ; batch++) {
      for (const { frame, changes, textChanges } of fc.sample(one, {
        numRuns: BATCH,
        seed: seed + batch,
      })) {
        const text = JSON.stringify(mutated(this.named(frame), changes)) ?? 'undefined';
        yield textChanges ? mutatedText(text, textChanges) : text;
      }
    }
  }

  /** The frame with ids that exist, mostly. */
  private named(frame: unknown): unknown {
    const real = { ...(frame as Record<string, unknown>) };
    if (this.random() >= REAL) return real;
    if ('conversationId' in real) real['conversationId'] = this.of(this.ids.conversations);
    if ('to' in real) real['to'] = this.of(this.ids.users);
    if ('messageId' in real) real['messageId'] = uuidv7();
    if ('to' in real && 'conversationId' in real) delete real['to'];
    return real;
  }
}

interface Connection {
  socket: WebSocket;
  /** Below it, for bytes that are no frames. */
  wire: Socket;
}
