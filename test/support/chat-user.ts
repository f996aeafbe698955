import { uuidv7 } from 'uuidv7';
import type { Conversation, LoginAnswer, Problem } from '@tidings/protocol/http';
import type { Message } from '@tidings/protocol/content';
import { openSocket, type TestSocket } from './test-socket';

/** An HTTP answer as tests look at it. */
export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

/** A user of the public interface, made in one line: `await ChatUser.create(gatewayUrls)`. */
export class ChatUser {
  static readonly PASSWORD = 'correct horse battery';
  private static count = 0;
  accessToken = '';
  refreshToken = '';
  deviceId = '';
  id = '';

  constructor(
    /** HTTP addresses of the gateways; calls go to the first. */
    readonly bases: string[],
    readonly username: string,
  ) {}

  /** Registers and logs in a fresh user. `at`: which gateway is asked first. */
  static async create(
    bases: string[],
    options: { name?: string; at?: number } = {},
  ): Promise<ChatUser> {
    const name =
      options.name ?? `user${process.pid % 1000}x${Date.now() % 1e6}x${ChatUser.count++}`;
    const turn = options.at ?? 0;
    const user = new ChatUser([...bases.slice(turn), ...bases.slice(0, turn)], name);
    const made = await user.patiently('POST', '/v1/users', {
      username: name,
      email: `${name}@example.org`,
      firstName: 'Test',
      password: ChatUser.PASSWORD,
    });
    if (made.status !== 201) throw new Error(`not registered: ${JSON.stringify(made.body)}`);
    await user.login();
    return user;
  }

  /** The same user on another device, asking another gateway first. */
  async onNewDevice(at = 1): Promise<ChatUser> {
    const other = new ChatUser(
      [...this.bases.slice(at), ...this.bases.slice(0, at)],
      this.username,
    );
    await other.login();
    return other;
  }

  async login(password = ChatUser.PASSWORD): Promise<void> {
    const answer = await this.patiently<LoginAnswer>('POST', '/v1/auth/login', {
      username: this.username,
      password,
      device: this.deviceId ? { id: this.deviceId } : undefined,
    });
    if (answer.status !== 200) throw new Error(`not logged in: ${JSON.stringify(answer.body)}`);
    this.accessToken = answer.body.accessToken;
    this.refreshToken = answer.body.refreshToken;
    this.deviceId = answer.body.deviceId;
    this.id = answer.body.user.id;
  }

  /** One call; never throws for an error status. */
  async http<T = Problem>(
    method: string,
    path: string,
    body?: unknown,
    options: { token?: string | null; base?: string } = {},
  ): Promise<Answer<T>> {
    const token = options.token === undefined ? this.accessToken : options.token;
    const response = await fetch((options.base ?? this.bases[0]!) + path, {
      method,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(45_000),
    });
    const text = await response.text();
    const parsed = text === '' ? undefined : (JSON.parse(text) as unknown);
    return { status: response.status, headers: response.headers, body: parsed as T };
  }

  /**
   * One call, made again while the answer says that this may help, as any client does: on a slow machine the
   * servers are too late for each other now and then. Ten times at most.
   */
  async patiently<T = Problem>(
    ...[method, path, body]: [method: string, path: string, body: unknown]
  ): Promise<Answer<T>> {
    for (let tries = 1; ; tries++) {
      const answer = await this.http<T>(method, path, body);
      if (answer.status !== 503 || tries === 10) return answer;
      if (!(answer.body as Problem).retryable) return answer;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /** A ticket for one gateway, by avoiding the others. */
  async ticket(gatewayId?: string): Promise<{ ticket: string; url: string; gatewayId: string }> {
    const others = ['gateway-1', 'gateway-2', 'gateway-3'].filter((g) => g !== gatewayId);
    const answer = await this.http<{
      ticket: string;
      gateways: { id: string; url: string }[];
      detail?: string;
    }>('POST', '/v1/connections', {
      deviceId: this.deviceId,
      ...(gatewayId && { avoid: others }),
    });
    if (answer.status >= 300) throw new Error(`no ticket: ${JSON.stringify(answer.body)}`);
    const gateway = gatewayId
      ? answer.body.gateways.find((g) => g.id === gatewayId)
      : answer.body.gateways[0];
    if (!gateway) throw new Error(`${gatewayId} was not offered`);
    return { ticket: answer.body.ticket, url: gateway.url, gatewayId: gateway.id };
  }

  /** A socket whose `welcome` has come. */
  async connect(gatewayId?: string): Promise<TestSocket> {
    const { ticket, url } = await this.ticket(gatewayId);
    const socket = await openSocket(url, ticket);
    await socket.next('welcome');
    return socket;
  }

  /** The direct conversation with another user. */
  async direct(other: ChatUser): Promise<Conversation> {
    const answer = await this.patiently<Conversation>('POST', '/v1/conversations', {
      kind: 'direct',
      userIds: [other.id],
    });
    if (answer.status >= 300) throw new Error(`no conversation: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** The whole history of a conversation, by pages, oldest first. Events included. */
  async history(conversationId: string, limit = 200): Promise<Message[]> {
    const all: Message[] = [];
    let before: string | undefined;
    for (;;) {
      const query = `limit=${limit}${before ? `&before=${before}` : ''}`;
      const answer = await this.http<{ items: Message[]; more: boolean; delayed?: boolean }>(
        'GET',
        `/v1/conversations/${conversationId}/messages?${query}`,
      );
      if (answer.status !== 200) throw new Error(`no history: ${JSON.stringify(answer.body)}`);
      if (answer.body.delayed) throw new Error('the history is delayed');
      all.unshift(...answer.body.items);
      if (!answer.body.more) return all;
      before = answer.body.items[0]!.position;
    }
  }
}

/** A text message ready to be sent. */
export function textSend(
  target: { conversationId: string } | { to: string },
  text: string,
  messageId = uuidv7(),
): { type: 'send'; messageId: string; content: { kind: 'text'; text: string } } & Record<
  string,
  unknown
> {
  return { type: 'send', messageId, content: { kind: 'text', text }, ...target };
}
