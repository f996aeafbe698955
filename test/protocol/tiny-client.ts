import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { request } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';

/**
 * A second client, written from docs/PROTOCOL.md alone: Node's sockets and hashes, nothing of this project. It shows that
 * the page is enough to write one, and that a conversation reads the same to a client that shares no code with the server.
 */

/** A message as the page describes it; what the page does not name is not looked at. */
export interface TinyMessage {
  conversationId: string;
  position: string;
  messageId: string;
  senderId: string;
  content?: { kind: string; text?: string; event?: { kind: string } };
  version: string;
  deleted?: boolean;
  expiresAt?: string;
}

export interface TinyConversation {
  messages: Map<string, TinyMessage>;
  /** Everything up to here is held. */
  have: bigint;
  /** Pushed entries above a gap, by position. */
  aside: Map<bigint, bigint | null>;
  unread: number;
  /** Older messages exist that were never fetched. */
  more: boolean;
}

export type TinyFrame = Record<string, unknown> & { type: string };

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

interface Synced {
  since?: string;
  complete?: boolean;
  delayed?: boolean;
  conversations: {
    conversationId: string;
    state: string;
    messages: TinyMessage[];
    more: boolean;
    upTo: string;
    digest: string;
    unread: number;
  }[];
}

/** The digest of the page's section 2. */
export function tinyDigest(lines: readonly string[]): string {
  const last = lines.slice(-10);
  const count = last.length < 10 ? `#${last.length}` : null;
  const text = [...last, ...(count === null ? [] : [count])].join('\n');
  return createHash('sha256').update(text).digest('base64url');
}

/** A version 7 UUID (RFC 9562 §5.7). */
export function uuid7(nowMs: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = bytes.toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export class TinyClient {
  readonly conversations = new Map<string, TinyConversation>();
  /** What each sync said, newest last. */
  readonly states: { conversationId: string; state: string }[] = [];
  userId = '';
  deviceId = '';
  private token = '';
  private since: string | undefined;
  private socket: TinySocket | null = null;
  private clockOffsetMs = 0;

  constructor(private readonly base: string) {}

  async register(username: string, password: string): Promise<void> {
    const email = `${username}@example.org`;
    const answer = await this.http('POST', '/v1/users', {
      ...{ username, password, email, firstName: 'Tiny' },
    });
    if (answer.status !== 201) throw new Error(`register: ${answer.status}`);
  }

  /** Logs in; as the same device when there was one. */
  async login(username: string, password: string): Promise<void> {
    const device = this.deviceId === '' ? {} : { device: { id: this.deviceId } };
    const answer = await this.http('POST', '/v1/auth/login', { username, password, ...device });
    if (answer.status !== 200) throw new Error(`login: ${answer.status}`);
    this.token = String(answer.body['accessToken']);
    this.deviceId = String(answer.body['deviceId']);
    this.userId = (answer.body['user'] as { id: string }).id;
  }

  /** One JSON call. */
  http(method: string, path: string, body?: unknown): Promise<Answer> {
    const url = new URL(path, this.base);
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      ...(payload !== undefined && { 'content-type': 'application/json' }),
      ...(this.token !== '' && { authorization: `Bearer ${this.token}` }),
    };
    return new Promise((resolve, reject) => {
      const call = request(url, { method, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const parsed = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
          resolve({ status: response.statusCode ?? 0, body: parsed });
        });
      });
      call.on('error', reject);
      call.end(payload);
    });
  }

  /** Ticket, socket, `welcome`, then `sync` until it is complete. */
  async connect(): Promise<void> {
    const answer = await this.http('POST', '/v1/connections', { deviceId: this.deviceId });
    if (answer.status !== 201 && answer.status !== 200)
      throw new Error(`connections: ${answer.status}`);
    const [gateway] = answer.body['gateways'] as { url: string }[];
    const protocols = ['tidings.v1.json', `ticket.${String(answer.body['ticket'])}`];
    this.socket = await TinySocket.open(gateway!.url, protocols);
    this.socket.events.on('text', (text: string) => this.take(JSON.parse(text) as TinyFrame));
    const welcome = await this.next('welcome');
    this.clockOffsetMs = Date.parse(String(welcome['serverTime'])) - Date.now();
    await this.sync();
  }

  disconnect(): void {
    this.socket?.close();
    this.socket = null;
  }

  /** Sends a text; resolves with its position when it is `sent`. */
  async say(address: { conversationId: string } | { to: string }, text: string): Promise<string> {
    const messageId = uuid7(Date.now() + this.clockOffsetMs);
    const answer = this.answerTo((frame) => frame['messageId'] === messageId);
    this.write({ type: 'send', messageId, ...address, content: { kind: 'text', text } });
    const frame = await answer;
    if (frame.type !== 'sent') throw new Error(`not sent: ${JSON.stringify(frame)}`);
    return String(frame['position']);
  }

  /** Asks for everything since the last complete answer, with digests of what is held. */
  async sync(): Promise<void> {
    for (;;) {
      const ref = randomUUID();
      const parts: Synced[] = [];
      const done = new Promise<void>((resolve) => {
        const take = (frame: TinyFrame): void => {
          if (frame.type !== 'synced' || frame['ref'] !== ref) return;
          parts.push(frame as unknown as Synced);
          if (frame['complete'] === undefined) return;
          this.frames.off('frame', take);
          resolve();
        };
        this.frames.on('frame', take);
      });
      this.write({ type: 'sync', ref, ...this.asked() });
      await within(done, 'synced');
      for (const part of parts) this.apply(part);
      const last = parts.at(-1)!;
      this.since = last.since ?? this.since;
      if (last.complete === true) return;
      if (last.delayed === true) await this.next('resync', 30_000);
    }
  }

  /** The digest of what this client shows. */
  digestOf(conversationId: string): string {
    return tinyDigest(this.shown(conversationId).map(lineOf));
  }

  /** What a person would see: held, not expired, in order. */
  shown(conversationId: string): TinyMessage[] {
    const now = Date.now() + this.clockOffsetMs;
    const messages = [...(this.conversations.get(conversationId)?.messages.values() ?? [])];
    return messages
      .filter((m) => m.expiresAt === undefined || Date.parse(m.expiresAt) > now)
      .sort((a, b) => (BigInt(a.position) < BigInt(b.position) ? -1 : 1));
  }

  readonly frames = new EventEmitter();
  private readonly waiting: TinyFrame[] = [];

  write(frame: TinyFrame): void {
    if (!this.socket) throw new Error('not connected');
    this.socket.send(JSON.stringify(frame));
  }

  /** The next frame that is an answer to something. */
  answerTo(matches: (frame: TinyFrame) => boolean): Promise<TinyFrame> {
    return this.find(
      (frame) => ['sent', 'error', 'changed'].includes(frame.type) && matches(frame),
    );
  }

  /** The oldest frame of a type that nobody has taken yet. */
  async next(type: 'welcome' | 'resync' | 'goodbye', withinMs = 10_000): Promise<TinyFrame> {
    const index = (): number => this.waiting.findIndex((frame) => frame.type === type);
    if (index() < 0) await this.find((frame) => frame.type === type, withinMs);
    return this.waiting.splice(index(), 1)[0]!;
  }

  find(matches: (frame: TinyFrame) => boolean, withinMs = 10_000): Promise<TinyFrame> {
    const found = new Promise<TinyFrame>((resolve) => {
      const look = (frame: TinyFrame): void => {
        if (!matches(frame)) return;
        this.frames.off('frame', look);
        resolve(frame);
      };
      this.frames.on('frame', look);
    });
    return within(found, 'a frame', withinMs);
  }

  private asked(): Record<string, unknown> {
    if (this.since === undefined) return {};
    const conversations = [...this.conversations].map(([conversationId, held]) => {
      const lines = this.shown(conversationId)
        .filter((m) => BigInt(m.position) <= held.have)
        .map(lineOf);
      const known = lines.length >= 10 || !held.more;
      return {
        conversationId,
        position: String(held.have),
        ...(known && { digest: tinyDigest(lines) }),
      };
    });
    const asOf = new Date(Date.now() + this.clockOffsetMs).toISOString();
    return { since: this.since, asOf, conversations };
  }

  private apply({ conversations }: Synced): void {
    for (const part of conversations) {
      const { conversationId, state } = part;
      this.states.push({ conversationId, state });
      if (state === 'gone') {
        this.conversations.delete(conversationId);
        continue;
      }
      if (state === 'reset') this.conversations.delete(conversationId);
      const held = this.conversation(conversationId);
      for (const message of part.messages) keep(held, message);
      held.more ||= part.more || (state !== 'behind' && state !== 'same' && startsLate(part));
      held.unread = part.unread;
      this.raise(held, BigInt(part.upTo));
    }
  }

  private take(frame: TinyFrame): void {
    if (frame.type === 'message') this.pushed(frame as unknown as TinyMessage, frame);
    if (frame.type === 'changed') this.pushed(frame as unknown as TinyMessage, frame);
    if (frame.type === 'conversation') {
      const event = frame['change'] as { kind: string };
      const message = { ...(frame as unknown as TinyMessage), version: '0' };
      this.pushed({ ...message, content: { kind: 'event', event } }, frame);
    }
    if (['welcome', 'resync', 'goodbye'].includes(frame.type)) this.waiting.push(frame);
    this.frames.emit('frame', frame);
  }

  private pushed(message: TinyMessage, frame: TinyFrame): void {
    const held = this.conversation(message.conversationId);
    keep(held, message);
    const own = BigInt(frame.type === 'changed' ? message.version : message.position);
    const previous = frame['previous'] as string | null | undefined;
    held.aside.set(own, previous == null ? null : BigInt(previous));
    this.raise(held, held.have);
  }

  private raise(held: TinyConversation, to: bigint): void {
    if (to > held.have) held.have = to;
    for (let moved = true; moved;) {
      moved = false;
      for (const [position, previous] of held.aside) {
        if (position > held.have && previous !== null && previous > held.have) continue;
        held.aside.delete(position);
        if (position > held.have) held.have = position;
        moved = true;
      }
    }
  }

  private conversation(id: string): TinyConversation {
    let held = this.conversations.get(id);
    if (!held) {
      held = { messages: new Map(), have: 0n, aside: new Map(), unread: 0, more: false };
      this.conversations.set(id, held);
    }
    return held;
  }
}

function lineOf(message: TinyMessage): string {
  return `${message.position}:${message.messageId}:${message.version}`;
}

/** A lower position replaces a higher one, then the highest version wins. */
function keep(held: TinyConversation, message: TinyMessage): void {
  const known = held.messages.get(message.messageId);
  if (known && BigInt(known.position) < BigInt(message.position)) return;
  const same = known?.position === message.position;
  if (known && same && BigInt(known.version) > BigInt(message.version)) return;
  held.messages.set(message.messageId, message);
}

/** The first messages of a conversation that is new to us do not begin with its creation. */
function startsLate({ messages }: { messages: TinyMessage[] }): boolean {
  return messages[0]?.content?.event?.kind !== 'created';
}

async function within<T>(work: Promise<T>, what: string, ms = 10_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const;

/** The client side of RFC 6455, as much as the page needs: text frames, ping, close. */
class TinySocket {
  readonly events = new EventEmitter();
  private rest = Buffer.alloc(0);

  private constructor(private readonly socket: Socket) {}

  static async open(address: string, protocols: readonly string[]): Promise<TinySocket> {
    const url = new URL(address);
    const socket = connectTcp(Number(url.port || 80), url.hostname);
    const key = randomBytes(16).toString('base64');
    socket.write(
      [
        `GET ${url.pathname} HTTP/1.1`,
        `Host: ${url.host}`,
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Key: ${key}`,
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Protocol: ${protocols.join(', ')}`,
        '\r\n',
      ].join('\r\n'),
    );
    const open = new TinySocket(socket);
    await within(open.upgraded(key), 'upgrade');
    return open;
  }

  send(text: string): void {
    this.frame(OPCODE.text, Buffer.from(text));
  }

  close(): void {
    this.frame(OPCODE.close, Buffer.from([0x03, 0xe8]));
    this.socket.end();
  }

  private upgraded(key: string): Promise<void> {
    const accept = createHash('sha1')
      .update(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11')
      .digest('base64');
    return new Promise((resolve, reject) => {
      this.socket.on('error', reject);
      const head = (chunk: Buffer): void => {
        this.rest = Buffer.concat([this.rest, chunk]);
        const end = this.rest.indexOf('\r\n\r\n');
        if (end < 0) return;
        const text = this.rest.subarray(0, end).toString();
        this.rest = this.rest.subarray(end + 4);
        this.socket.off('data', head);
        if (!text.startsWith('HTTP/1.1 101') || !text.includes(accept)) {
          reject(new Error(`refused: ${text.split('\r\n', 1)[0]}`));
          return;
        }
        this.socket.on('data', (more: Buffer) => this.read(more));
        setImmediate(() => this.read(Buffer.alloc(0)));
        resolve();
      };
      this.socket.on('data', head);
    });
  }

  private read(chunk: Buffer): void {
    this.rest = Buffer.concat([this.rest, chunk]);
    for (;;) {
      if (this.rest.length < 2) return;
      let length = this.rest[1]! & 0x7f;
      let at = 2;
      if (length === 126) {
        if (this.rest.length < 4) return;
        length = this.rest.readUInt16BE(2);
        at = 4;
      } else if (length === 127) {
        if (this.rest.length < 10) return;
        length = Number(this.rest.readBigUInt64BE(2));
        at = 10;
      }
      if (this.rest.length < at + length) return;
      const opcode = this.rest[0]! & 0x0f;
      const payload = this.rest.subarray(at, at + length);
      this.rest = this.rest.subarray(at + length);
      if (opcode === OPCODE.text) this.events.emit('text', payload.toString());
      else if (opcode === OPCODE.ping) this.frame(OPCODE.pong, payload);
      else if (opcode === OPCODE.close) this.socket.end();
    }
  }

  /** Clients mask what they send (RFC 6455 §5.3). */
  private frame(opcode: number, payload: Buffer): void {
    const { length } = payload;
    const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
    head[0] = 0x80 | opcode;
    if (length < 126) head[1] = 0x80 | length;
    else if (length < 65_536) {
      head[1] = 0x80 | 126;
      head.writeUInt16BE(length, 2);
    } else {
      head[1] = 0x80 | 127;
      head.writeBigUInt64BE(BigInt(length), 2);
    }
    const mask = randomBytes(4);
    const masked = Buffer.from(payload.map((byte, i) => byte ^ mask[i % 4]!));
    this.socket.write(Buffer.concat([head, mask, masked]));
  }
}
