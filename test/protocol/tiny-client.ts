import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { tinyCall, type TinyAnswer } from './tiny-http';
import { uuid7 } from './tiny-ids';
import { TinySocket } from './tiny-socket';
import { TinyStore, type TinyFrame, type TinySynced } from './tiny-store';
import { within } from './tiny-wait';

/** What is known of somebody's presence. */
export interface TinyPresence {
  status: string;
  lastSeenAt: string | null;
  activeAt: string | null;
  version: number;
}

/**
 * A second client, written from docs/PROTOCOL.md alone: Node's sockets and hashes, nothing of this project. It shows that
 * the page is enough to write one, and that a conversation reads the same to a client that shares no code with the server.
 */
export class TinyClient {
  readonly store = new TinyStore(() => this.serverTime());
  /** How the users that are watched are, by id. */
  readonly here = new Map<string, TinyPresence>();
  userId = '';
  deviceId = '';
  private token = '';
  private socket: TinySocket | null = null;
  private clockOffsetMs = 0;
  private readonly frames = new EventEmitter();
  private readonly waiting: TinyFrame[] = [];

  constructor(private readonly base: string) {}

  async register(username: string, password: string): Promise<void> {
    const email = `${username}@example.org`;
    const answer = await this.http('POST', '/v1/users', {
      username,
      password,
      email,
      firstName: 'Tiny',
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
  http(method: string, path: string, body?: unknown): Promise<TinyAnswer> {
    return tinyCall(new URL(path, this.base), { method, token: this.token, body });
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

  /** Sends a text; resolves with its `sent`. */
  async say(address: { conversationId: string } | { to: string }, text: string) {
    const messageId = uuid7(this.serverTime());
    const frame = { type: 'send', messageId, ...address, content: { kind: 'text', text } };
    const answer = await this.ask(frame, (f) => f['messageId'] === messageId);
    if (answer.type !== 'sent') throw new Error(`not sent: ${JSON.stringify(answer)}`);
    return answer as TinyFrame & { position: string; messageId: string };
  }

  /** Edits an own message, or deletes it (null); resolves with its new version. */
  async change(place: { conversationId: string; messageId: string }, text: string | null) {
    const changeId = uuid7(this.serverTime());
    const ids = { changeId, messageId: place.messageId, conversationId: place.conversationId };
    const frame =
      text === null
        ? { type: 'delete', ...ids }
        : { type: 'edit', ...ids, content: { kind: 'text', text } };
    const mine = (f: TinyFrame): boolean => f['changeId'] === changeId || f['ref'] === changeId;
    const answer = await this.ask(frame, mine);
    if (answer.type !== 'changed') throw new Error(`not changed: ${JSON.stringify(answer)}`);
    return String(answer['version']);
  }

  /** Asks for everything since the last complete answer, with digests of what is held. */
  async sync(): Promise<void> {
    for (;;) {
      const ref = randomUUID();
      const parts: TinySynced[] = [];
      const take = (frame: TinyFrame): boolean => {
        if (frame.type !== 'synced' || frame['ref'] !== ref) return false;
        parts.push(frame as unknown as TinySynced);
        return frame['complete'] !== undefined;
      };
      const done = this.find(take, 'synced');
      this.write({ type: 'sync', ref, ...this.store.asked() });
      await done;
      for (const part of parts) this.store.apply(part);
      const last = parts.at(-1)!;
      if (last.complete === true) return;
      if (last.delayed === true) await this.next('resync', 30_000);
    }
  }

  /** Shows these users from now on; resolves when something is known of each. */
  async watch(userIds: readonly string[]): Promise<void> {
    this.here.clear();
    const left = new Set(userIds);
    const known = this.find((frame) => {
      if (frame.type === 'presence') left.delete(String(frame['userId']));
      return left.size === 0;
    }, 'presence');
    this.write({ type: 'watch', userIds: [...userIds] });
    await known;
  }

  /** Says where the app is. */
  state(mode: 'front' | 'background'): void {
    this.write({ type: 'state', mode });
  }

  private sees(frame: TinyFrame): void {
    const userId = String(frame['userId']);
    const news = frame as unknown as TinyPresence;
    const known = this.here.get(userId);
    if (!known || known.version < news.version) this.here.set(userId, news);
  }

  private serverTime(): number {
    return Date.now() + this.clockOffsetMs;
  }

  private write(frame: TinyFrame): void {
    if (!this.socket) throw new Error('not connected');
    this.socket.send(JSON.stringify(frame));
  }

  /** Writes a frame and waits for its answer. */
  private async ask(frame: TinyFrame, mine: (f: TinyFrame) => boolean): Promise<TinyFrame> {
    const answers = ['sent', 'error', 'changed'];
    const answer = this.find((f) => answers.includes(f.type) && mine(f), frame.type);
    this.write(frame);
    return answer;
  }

  /** The oldest frame of a type that nobody has taken yet. */
  private async next(type: 'welcome' | 'resync', withinMs = 10_000): Promise<TinyFrame> {
    const index = (): number => this.waiting.findIndex((frame) => frame.type === type);
    if (index() < 0) await this.find((frame) => frame.type === type, type, withinMs);
    return this.waiting.splice(index(), 1)[0]!;
  }

  private find(
    matches: (frame: TinyFrame) => boolean,
    what: string,
    withinMs = 10_000,
  ): Promise<TinyFrame> {
    const found = new Promise<TinyFrame>((resolve) => {
      const look = (frame: TinyFrame): void => {
        if (!matches(frame)) return;
        this.frames.off('frame', look);
        resolve(frame);
      };
      this.frames.on('frame', look);
    });
    return within(found, what, withinMs);
  }

  private take(frame: TinyFrame): void {
    if (frame.type === 'presence') this.sees(frame);
    else this.store.push(frame);
    if (['welcome', 'resync'].includes(frame.type)) this.waiting.push(frame);
    this.frames.emit('frame', frame);
  }
}
