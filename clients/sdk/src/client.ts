import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import type { Content, Message } from '@tidings/protocol/content';
import type { LoginBody, Presence, RegisterBody, User } from '@tidings/protocol/http';
import { Account } from './account';
import { TidingsApi } from './api';
import type { ClientEvents, ClientState } from './client-events';
import type { ClientOptions } from './client-options';
import { systemClock, type Clock } from './clock';
import type { StopReason } from './connection';
import { ConversationClient } from './conversation-client';
import { StoppedError } from './errors';
import { HttpClient } from './http';
import type { UploadData, UploadOptions } from './http';
import { Live, type MessagePlace } from './live';
import { MemoryOutboxStore } from './outbox-store';
import type { Outgoing } from './outgoing';
import { listenTo, ownPage } from './page';
import type { Recipient, Sendable, Written } from './sendable';
import { ServerTime } from './server-time';
import { TokenKeeper, type SavedLogin } from './tokens';

/** Close codes after which the login itself has ended. */
const SESSION_OVER: readonly (number | undefined)[] = [
  undefined,
  CLOSE_CODES.loggedOut,
  CLOSE_CODES.accountDisabled,
  CLOSE_CODES.replacedByLogin,
];

/**
 * A Tidings client. It stays connected, keeps its copy of the conversations complete, and keeps
 * what it sends until that is in the log. Runs once, from `start` to `stop`.
 */
export class TidingsClient extends ConversationClient {
  /** Every HTTP call of the protocol. */
  readonly api: TidingsApi;
  /** The user's own lists, kept fresh. */
  readonly account: Account;
  private readonly clock: Clock;
  private readonly serverTime: ServerTime;
  private readonly http: HttpClient;
  private readonly tokens: TokenKeeper;
  private started = false;
  private current: ClientState = 'offline';
  private gateway: string | null = null;
  private leavePage: (() => void) | null = null;

  constructor(private readonly options: ClientOptions) {
    super();
    this.clock = options.clock ?? systemClock;
    this.serverTime = new ServerTime(this.clock);
    this.http = new HttpClient({
      servers: options.servers,
      fetch: options.fetch,
      onDate: (date) => this.serverTime.hint(date),
    });
    this.tokens = new TokenKeeper(this.http, this.clock, options.saveLogin ?? (() => undefined));
    this.api = new TidingsApi(this.http, this.tokens);
    this.account = new Account(this.api, (event) => this.emit('account', event));
  }

  /** The login in use. Null: log in first. */
  get currentLogin(): SavedLogin | null {
    return this.tokens.current;
  }

  /** What the last `state` event said; `offline` before the first one. */
  get state(): ClientState {
    return this.current;
  }

  /** Id of the gateway in use; null: not connected. */
  get gatewayId(): string | null {
    return this.gateway;
  }

  /** Messages that are not in the log yet, oldest first within a conversation. */
  get unsent(): Outgoing[] {
    return this.live?.unsent() ?? [];
  }

  /** Edits and deletions that are unanswered. */
  get pendingChanges(): number {
    return this.live?.pendingChanges ?? 0;
  }

  /**
   * Adds base addresses, which are tried when those before them do not answer. A server receives
   * everything, including passwords and tokens: add only what the user or the server itself has
   * named.
   */
  addServers(servers: readonly string[]): void {
    this.http.add(servers);
  }

  /** Creates an account; {@link login} is the next step. */
  register(body: RegisterBody): Promise<User> {
    return this.api.register(body);
  }

  /** Logs in. The device of an earlier login may be used again. */
  async login(body: LoginBody): Promise<SavedLogin> {
    return this.tokens.begin(await this.api.login(body));
  }

  /** Uses a saved login instead of logging in. */
  restore(login: SavedLogin): void {
    this.tokens.restore(login);
  }

  /**
   * Loads the outbox and starts to connect. Resolves when messages can be sent (or kept).
   *
   * @throws StoppedError without a login, or when it was started or stopped before
   */
  async start(): Promise<void> {
    const login = this.tokens.current;
    if (!login) throw new StoppedError('not_logged_in');
    if (this.started || this.current === 'stopped') {
      throw new StoppedError(this.started ? 'started_twice' : 'stopped');
    }
    this.started = true;
    const live = this.makeLive(login);
    this.live = live;
    const { page = ownPage() } = this.options;
    if (page) this.leavePage = listenTo(page, this);
    await live.start();
  }

  /** Ends everything. Unsent messages stay in the outbox's store. Every promise settles. */
  stop(): Promise<void> {
    return this.end({ reason: 'stopped by the application' });
  }

  /** Ends this device's login, then everything else. */
  async logout(): Promise<void> {
    await this.api.logout();
    await this.tokens.end();
    await this.stop();
  }

  /**
   * Shows the presence of these users from now on, replacing the previous list. What is known
   * arrives as `presence` events and is kept for {@link presenceOf}. Call it after {@link start};
   * it outlasts reconnects. A server without this feature is polled once a minute.
   *
   * @throws InvalidCallError when there are more than the server takes (500)
   */
  watch(userIds: readonly string[]): void {
    this.live?.presence.watch(userIds);
  }

  /** The latest presence of a watched user; undefined: none yet. */
  presenceOf(userId: string): Presence | undefined {
    return this.live?.presence.of(userId);
  }

  /** What the gateway does less of because of load, as the last `shed` event said; none: all is normal. */
  get shedding(): readonly string[] {
    return this.live?.shedding.lanes ?? [];
  }

  /**
   * The user did something. Call it as often as that happens; it is coalesced. Browser pages and
   * sent frames need no call.
   */
  active(): void {
    this.live?.activity.active();
  }

  /** The user has the app in front of them again. Browser pages need no call. */
  front(): void {
    this.live?.activity.goes('front');
  }

  /** The user no longer has the app in front of them: they are shown as away. */
  background(): void {
    this.live?.activity.goes('background');
  }

  /**
   * Sends a text, or other content such as an uploaded image. Returns its handle at once, even when
   * not connected.
   *
   * @throws InvalidCallError when an argument makes no sense; it names which and why
   * @throws TidingsError `text_too_long`, `invalid_request` or `payload_too_large`, with the field
   * @throws OutboxFullError when too many messages wait
   * @throws StoppedError before {@link start} has settled and after the end
   */
  send(message: Recipient & Sendable): Outgoing {
    if (!this.live) throw new StoppedError('not_started');
    return this.live.send(message);
  }

  /**
   * Replaces the content of one of this user's messages by other content of the same kind, for
   * everybody. The change is requested until the server answers, across reconnects. If the outbox's
   * store keeps changes (the one for Node does), the next client with that outbox goes on;
   * `changeFailed` then reports a refusal. Resolves with the message after the change. A message
   * that still waits to be sent needs no conversation.
   *
   * @throws TidingsError as the server refuses it: `not_found`, `not_allowed`, `text_too_long`, …
   * @throws StoppedError when the client ends first: the change may have been made
   */
  edit(message: MessagePlace & Written): Promise<Message> {
    return this.change(message, message);
  }

  /**
   * Deletes a message for everybody; what remains of it has no content. Otherwise like {@link
   * edit}.
   */
  deleteMessage(message: MessagePlace): Promise<Message> {
    return this.change(message, null);
  }

  /**
   * Uploads an image and sends it. Rejects when the upload fails; then nothing was sent.
   *
   * @throws TidingsError `unsupported_media`, `payload_too_large`, `no_such_conversation`
   */
  async sendImage(
    recipient: Recipient,
    image: { data: UploadData; type: string; caption?: string },
    options?: UploadOptions,
  ): Promise<Outgoing> {
    const { caption, data } = image;
    const type = image.type.startsWith('image/') ? image.type : 'image/unknown';
    const { place, mediaId } = await this.uploaded(recipient, { data, type }, options);
    const content: Content = { kind: 'image', mediaId, ...(caption && { caption }) };
    return this.send({ ...place, content });
  }

  /** Uploads a file and sends it under a name. Rejects like {@link sendImage}. */
  async sendFile(
    recipient: Recipient,
    file: { data: UploadData; type: string; name: string },
    options?: UploadOptions,
  ): Promise<Outgoing> {
    const { place, mediaId, isImage } = await this.uploaded(recipient, file, options);
    const content: Content = isImage
      ? { kind: 'image', mediaId, caption: file.name }
      : { kind: 'file', mediaId, name: file.name };
    return this.send({ ...place, content });
  }

  /**
   * Resolves when everything up to now is held: at once if the last sync was complete and its
   * connection still stands, otherwise with the next complete sync.
   *
   * @throws StoppedError before {@link start}, or when the client ends first
   */
  whenSynced(): Promise<void> {
    return this.live?.whenSynced() ?? Promise.reject(new StoppedError('not_started'));
  }

  /**
   * Connects again at once: drops the connection in use, or the wait for the next attempt. For a
   * changed network or a person's wish, not for a timer.
   */
  reconnect(): void {
    this.live?.reconnect();
  }

  private change(message: MessagePlace, written: Written | null): Promise<Message> {
    return this.live?.change(message, written) ?? Promise.reject(new StoppedError('not_started'));
  }

  private async uploaded(
    recipient: Recipient,
    { data, type }: { data: UploadData; type: string },
    options?: UploadOptions,
  ) {
    const conversationId =
      'to' in recipient ? await this.directId(recipient.to) : recipient.conversationId;
    const { mediaId, width } = await this.api.upload(conversationId, data, type, options);
    return { place: { conversationId }, mediaId, isImage: width !== undefined };
  }

  private async directId(userId: string): Promise<string> {
    return this.directWith(userId) ?? (await this.direct(userId)).id;
  }

  private makeLive(login: SavedLogin): Live {
    return new Live({
      userId: login.user.id,
      deviceId: login.deviceId,
      api: this.api,
      transport: this.options.transport,
      sha256: this.options.sha256,
      store: this.options.outbox ?? new MemoryOutboxStore(),
      serverTime: this.serverTime,
      clock: this.clock,
      random: this.options.random ?? Math.random,
      emit: (name, event) => {
        if (name === 'account') {
          return this.account.changed((event as ClientEvents['account']).changed);
        }
        if (name === 'state') this.note(event as ClientEvents['state']);
        this.emit(name, event);
      },
      ended: (reason) => void this.ended(reason),
    });
  }

  private note({ state, gatewayId }: ClientEvents['state']): void {
    this.current = state;
    this.gateway = gatewayId ?? null;
    if (state === 'online') this.account.reconnected();
  }

  /** The server ended the connection for good. */
  private async ended(reason: StopReason): Promise<void> {
    // A dead login that cannot be removed does no harm: it will be refused next time.
    if (SESSION_OVER.includes(reason.code)) await this.tokens.end().catch(() => undefined);
    await this.end(reason);
  }

  private async end(reason: StopReason): Promise<void> {
    if (this.current === 'stopped') return;
    this.note({ state: 'stopped' });
    this.leavePage?.();
    const written = this.live?.stop();
    this.emit('state', { state: 'stopped', reason: reason.reason });
    this.emit('stopped', reason);
    await written;
  }
}
