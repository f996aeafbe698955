import type { Content, MemberRole, Message } from '@tidings/protocol/content';
import { TidingsError } from '@tidings/protocol/errors';
import type { Extras } from '@tidings/protocol/extras';
import type { SyncedBody, SyncRequest } from '@tidings/protocol/frames';
import { CONVERSATION_HEADER } from '@tidings/protocol/http';
import type {
  Block,
  ChangedConversation,
  ConnectionsAnswer,
  Contact,
  Conversation,
  ConversationPatch,
  DevicesAnswer,
  GroupBody,
  HistoryPage,
  LoginAnswer,
  LoginBody,
  Me,
  MediaAnswer,
  MediaUrlAnswer,
  MediaVariant,
  Member,
  Page,
  PatchMeBody,
  Presence,
  Receipt,
  ReceiptsBody,
  RegisterBody,
  User,
} from '@tidings/protocol/http';
import type { Broadcast, BroadcastBody } from '@tidings/protocol/broadcasts';
import type { Trace } from '@tidings/protocol/trace';
import type { HttpCall, HttpClient, UploadData, UploadOptions } from './http';
import type { TokenKeeper } from './tokens';

/** Which part of a list. */
export interface PageOptions {
  cursor?: string;
  limit?: number;
}

/** Which page of a history; positions are exclusive. Without either: the newest page. */
export interface HistoryOptions {
  before?: string;
  after?: string;
  limit?: number;
}

/** Answer of `GET /v1`. */
export interface ServerInfo {
  versions: string[];
  features: string[];
  limits: Record<string, number>;
  login: string[];
  policy: string;
  /** `search`: users are found by the beginning of their names. `list`: everybody can be listed. */
  users: string;
}

/** A call as the logged-in user. */
type Call = Omit<HttpCall, 'repeatable' | 'token'>;

/** Answer of `PUT …/messages/:id`: appended, or held on the gateway's disk. */
export type PutAnswer =
  | { messageId: string; conversationId: string; position: string; sentAt: string }
  | { messageId: string };

/** Refusals that another access token may resolve. */
const NEEDS_TOKEN = new Set<string>(['unauthorized', 'token_expired']);

/** How long an upload, or the start of a download, may take, in milliseconds. */
const UPLOAD_TIMEOUT_MS = 600_000;

/** How long to wait for a gateway that is only asked for another one, in milliseconds. */
const DIRECTORY_TIMEOUT_MS = 4_000;

/** Every HTTP call of the protocol, typed (docs/PROTOCOL.md). */
export class TidingsApi {
  constructor(
    private readonly http: HttpClient,
    private readonly tokens: TokenKeeper,
  ) {}

  /** What the server offers. Needs no login. */
  serverInfo(): Promise<ServerInfo> {
    return this.http.request({ method: 'GET', path: '/v1', repeatable: true });
  }

  /** Creates an account. Needs no login. */
  register(body: RegisterBody): Promise<User> {
    return this.http.request({ method: 'POST', path: '/v1/users', body, repeatable: false });
  }

  /** Logs in. The tokens of the answer are not used by this object. */
  login(body: LoginBody): Promise<LoginAnswer> {
    return this.http.request({ method: 'POST', path: '/v1/auth/login', body, repeatable: true });
  }

  /** Ends this device's login. */
  logout(): Promise<void> {
    return this.call({ method: 'POST', path: '/v1/auth/logout' });
  }

  me(): Promise<Me> {
    return this.call({ method: 'GET', path: '/v1/me' });
  }

  /** Changes the password. All other devices are logged out. */
  changePassword(current: string, next: string): Promise<void> {
    const body = { current, next };
    return this.call({ method: 'POST', path: '/v1/me/password', body });
  }

  /**
   * The devices that are logged in, the last used first, and the wrong passwords that were tried.
   */
  devices(): Promise<DevicesAnswer> {
    return this.call({ method: 'GET', path: '/v1/me/devices' });
  }

  /** Logs out one of this user's devices. */
  removeDevice(deviceId: string): Promise<void> {
    return this.call({ method: 'DELETE', path: `/v1/me/devices/${deviceId}` });
  }

  /** Changes name and privacy. Absent fields stay as they are. */
  patchMe(body: PatchMeBody): Promise<Me> {
    return this.call({ method: 'PATCH', path: '/v1/me', body });
  }

  /**
   * Users whose name begins with `query` (at least `userQueryMinChars` characters). Without a
   * query: everybody, where the server allows that (`users: "list"`); otherwise `invalid_request`.
   */
  searchUsers(query?: string, page: PageOptions = {}): Promise<Page<User>> {
    return this.call({ method: 'GET', path: '/v1/users', query: { query, ...page } });
  }

  /** Users by id (≤ 100). */
  users(ids: readonly string[]): Promise<Page<User>> {
    return this.call({ method: 'GET', path: '/v1/users', query: { ids: ids.join(',') } });
  }

  user(id: string): Promise<User> {
    return this.call({ method: 'GET', path: `/v1/users/${id}` });
  }

  contacts(page: PageOptions = {}): Promise<Page<Contact>> {
    return this.call({ method: 'GET', path: '/v1/contacts', query: { ...page } });
  }

  /** People who have this user in their contacts, but are not in this user's. */
  incomingContacts(page: PageOptions = {}): Promise<Page<User>> {
    return this.call({ method: 'GET', path: '/v1/contacts/incoming', query: { ...page } });
  }

  addContact(userId: string): Promise<Contact> {
    return this.call({ method: 'PUT', path: `/v1/contacts/${userId}` });
  }

  removeContact(userId: string): Promise<void> {
    return this.call({ method: 'DELETE', path: `/v1/contacts/${userId}` });
  }

  /** The users whose direct messages this user refuses. */
  blocks(page: PageOptions = {}): Promise<Page<Block>> {
    return this.call({ method: 'GET', path: '/v1/blocks', query: { ...page } });
  }

  /** Refuses direct messages from a user, and hides this user's presence from them. */
  block(userId: string): Promise<Block> {
    return this.call({ method: 'PUT', path: `/v1/blocks/${userId}` });
  }

  unblock(userId: string): Promise<void> {
    return this.call({ method: 'DELETE', path: `/v1/blocks/${userId}` });
  }

  /** Asks the directory for a gateway and a ticket. */
  connections(
    body: { deviceId: string; avoid?: string[] },
    signal?: AbortSignal,
  ): Promise<ConnectionsAnswer> {
    const timeoutMs = DIRECTORY_TIMEOUT_MS;
    return this.call({ method: 'POST', path: '/v1/connections', body, signal, timeoutMs });
  }

  /** The direct conversation with a user; created when there is none. */
  directConversation(userId: string): Promise<Conversation> {
    const body = { kind: 'direct', userIds: [userId] };
    return this.call({ method: 'POST', path: '/v1/conversations', body });
  }

  /** A new group, owned by the caller. The same `requestId` gives the same group. */
  createGroup(group: Omit<GroupBody, 'kind'>): Promise<Conversation> {
    const body = { kind: 'group', ...group };
    return this.call({ method: 'POST', path: '/v1/conversations', body });
  }

  /** A new title, or a new lifetime of messages (null: they are kept). */
  changeConversation(id: string, patch: ConversationPatch): Promise<ChangedConversation> {
    return this.call({ method: 'PATCH', path: `/v1/conversations/${id}`, body: patch });
  }

  members(conversationId: string, page: PageOptions = {}): Promise<Page<Member>> {
    const path = `/v1/conversations/${conversationId}/members`;
    return this.call({ method: 'GET', path, query: { ...page } });
  }

  addMembers(conversationId: string, userIds: readonly string[]): Promise<ChangedConversation> {
    const path = `/v1/conversations/${conversationId}/members`;
    return this.call({ method: 'POST', path, body: { userIds } });
  }

  /** Removes a member, or leaves when it is this user. */
  removeMember(conversationId: string, userId: string): Promise<void> {
    const path = `/v1/conversations/${conversationId}/members/${userId}`;
    return this.call({ method: 'DELETE', path });
  }

  /** Gives a member a role. The predecessor of a new owner becomes an admin. */
  setRole(conversationId: string, userId: string, role: MemberRole): Promise<ChangedConversation> {
    const path = `/v1/conversations/${conversationId}/members/${userId}`;
    return this.call({ method: 'PATCH', path, body: { role } });
  }

  /** By the time of the last entry, newest first. */
  conversations(page: PageOptions = {}): Promise<Page<Conversation>> {
    return this.call({ method: 'GET', path: '/v1/conversations', query: { ...page } });
  }

  conversation(id: string): Promise<Conversation> {
    return this.call({ method: 'GET', path: `/v1/conversations/${id}` });
  }

  /** A page of a history, ascending. */
  history(conversationId: string, options: HistoryOptions = {}): Promise<HistoryPage> {
    const path = `/v1/conversations/${conversationId}/messages`;
    return this.call({ method: 'GET', path, query: { ...options } });
  }

  /** Sends a message over HTTP. The same id may be sent again. */
  putMessage(
    conversationId: string,
    messageId: string,
    content: Content,
    extras: Extras = {},
  ): Promise<PutAnswer> {
    const path = `/v1/conversations/${conversationId}/messages/${messageId}`;
    return this.call({ method: 'PUT', path, body: { content, ...extras } });
  }

  /** The path of one of this user's messages, with one page of its receivers. */
  trace(conversationId: string, messageId: string, page: PageOptions = {}): Promise<Trace> {
    const path = `/v1/conversations/${conversationId}/messages/${messageId}/trace`;
    return this.call({ method: 'GET', path, query: { ...page } });
  }

  /** How far each member has received and read, by user id. */
  receipts(conversationId: string, page: PageOptions = {}): Promise<Page<Receipt>> {
    const path = `/v1/conversations/${conversationId}/receipts`;
    return this.call({ method: 'GET', path, query: { ...page } });
  }

  /** Raises this user's marks without a socket. */
  async putReceipts(conversationId: string, body: ReceiptsBody): Promise<void> {
    const path = `/v1/conversations/${conversationId}/receipts`;
    await this.call({ method: 'PUT', path, body });
  }

  /**
   * Uploads an image or a file for a conversation. Bytes that begin like a JPEG, PNG, WebP or GIF
   * are an image, whatever `type` says.
   */
  upload(
    conversationId: string,
    data: UploadData,
    type: string,
    { onProgress, signal }: UploadOptions = {},
  ): Promise<MediaAnswer> {
    const headers = { [CONVERSATION_HEADER]: conversationId };
    const bytes = { data, type, onProgress };
    const timeoutMs = UPLOAD_TIMEOUT_MS;
    return this.call({ method: 'POST', path: '/v1/media', headers, bytes, timeoutMs, signal });
  }

  /**
   * The bytes of an upload or of an image's thumbnail, as a response whose body is still to be
   * read.
   */
  download(mediaId: string, variant: MediaVariant = 'original'): Promise<Response> {
    const path = `/v1/media/${mediaId}${variant === 'thumbnail' ? '/thumbnail' : ''}`;
    const call: Call = { method: 'GET', path, timeoutMs: UPLOAD_TIMEOUT_MS };
    return this.authorized(call, (ready) => this.http.open(ready));
  }

  /** URLs of an upload that work for some minutes without a token, e.g. for an `<img>`. */
  mediaUrl(mediaId: string): Promise<MediaUrlAnswer> {
    return this.call({ method: 'GET', path: `/v1/media/${mediaId}/url` });
  }

  /** Presence of users (≤ 100). */
  presence(userIds: readonly string[]): Promise<{ items: Presence[] }> {
    const query = { userIds: userIds.join(',') };
    return this.call({ method: 'GET', path: '/v1/presence', query });
  }

  /** Writes to everybody (role `broadcaster`); the same again changes nothing. */
  broadcast(body: BroadcastBody): Promise<Broadcast> {
    return this.call({ method: 'POST', path: '/v1/broadcasts', body });
  }

  /** The state of a broadcast, and how many it has reached. */
  broadcastState(messageId: string): Promise<Broadcast> {
    return this.call({ method: 'GET', path: `/v1/broadcasts/${messageId}` });
  }

  /** Deletes a broadcast for everybody. */
  async deleteBroadcast(messageId: string): Promise<void> {
    await this.call({ method: 'DELETE', path: `/v1/broadcasts/${messageId}` });
  }

  /** One answer of `sync` without a socket. */
  sync(body: SyncRequest): Promise<SyncedBody> {
    return this.call({ method: 'POST', path: '/v1/sync', body });
  }

  /** All messages of a history, oldest first; read page by page from the newest. */
  async wholeHistory(conversationId: string, limit?: number): Promise<Message[]> {
    const pages: Message[][] = [];
    let before: string | undefined;
    for (;;) {
      const page = await this.history(conversationId, { before, limit });
      pages.unshift(page.items);
      before = page.items[0]?.position;
      if (!page.more || before === undefined) return pages.flat();
    }
  }

  /** A call as the logged-in user. Renews the access token when it is refused. */
  private call<T>(call: Call): Promise<T> {
    return this.authorized(call, (ready) => this.http.request<T>(ready));
  }

  private async authorized<T>(call: Call, send: (ready: HttpCall) => Promise<T>): Promise<T> {
    const token = await this.tokens.token();
    // A stream that has started cannot be sent again.
    const repeatable = !(call.bytes?.data instanceof ReadableStream);
    try {
      return await send({ ...call, token, repeatable });
    } catch (error) {
      if (!(error instanceof TidingsError) || !NEEDS_TOKEN.has(error.code)) throw error;
      if (!repeatable) throw error;
      const renewed = await this.tokens.renew(token);
      return send({ ...call, token: renewed, repeatable });
    }
  }
}
