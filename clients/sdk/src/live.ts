import {
  isSentContent,
  type Content,
  type Message,
  type MessageContent,
} from '@tidings/protocol/content';
import { TidingsError } from '@tidings/protocol/errors';
import type { Conversation } from '@tidings/protocol/http';
import { V7Generator } from 'uuidv7';
import { Activity } from './activity';
import { Changes } from './changes';
import { Connection, type WelcomeFrame } from './connection';
import { Details } from './details';
import { Expiry } from './expiry';
import { InvalidCallError, StoppedError } from './errors';
import type { IncomingFrame } from './frames';
import { Lifetimes } from './lifetimes';
import type { LiveDeps } from './live-deps';
import type { Outgoing } from './outgoing';
import { WatchedPresence } from './presence';
import { Receipts } from './receipts';
import type { ChangeRecord } from './outbox-store';
import { bareMessage, Replica } from './replica';
import { contentOf, type Recipient, type Sendable, type Written } from './sendable';
import { Sending } from './sending';
import { Shedding } from './shedding';
import { SyncRunner } from './sync-runner';
import { Typing } from './typing';
import { Waiters } from './waiters';

/** Identifies a message; without its conversation while the message waits to be sent. */
export interface MessagePlace {
  conversationId?: string;
  messageId: string;
}

/**
 * The part of a client that exists between `start` and `stop`. It connects connection, replica,
 * sync and outbox, and turns what they report into events.
 */
export class Live {
  readonly replica: Replica;
  readonly details: Details;
  readonly receipts: Receipts;
  readonly typing: Typing;
  readonly presence: WatchedPresence;
  readonly activity: Activity;
  readonly lifetimes: Lifetimes;
  readonly shedding: Shedding;
  private readonly sending: Sending;
  private readonly expiry: Expiry;
  private readonly sync: SyncRunner;
  private readonly changes: Changes;
  private readonly connection: Connection;
  private readonly ids = new V7Generator();
  private opened = false;
  private online = false;
  private over = false;
  private readonly syncWaiters = new Waiters();

  constructor(private readonly deps: LiveDeps) {
    this.details = new Details(
      (id) => deps.api.conversation(id),
      (conversation) => {
        this.learn(conversation);
        deps.emit('details', { conversation });
      },
    );
    this.lifetimes = new Lifetimes((id, seconds) => this.sending.limit(id, seconds));
    this.sending = this.makeSending();
    this.replica = this.makeReplica();
    this.receipts = new Receipts({
      ...deps,
      model: (conversationId) => this.replica.get(conversationId),
      send: (frame) => this.connection.send(frame),
    });
    this.expiry = this.makeExpiry();
    const { clock, random } = deps;
    this.activity = new Activity({ clock, send: (frame) => this.connection.send(frame) });
    this.presence = new WatchedPresence({
      ...deps,
      ask: (userIds) => deps.api.presence(userIds),
      send: (frame) => this.connection.send(frame),
      refused: (detail) => deps.emit('problem', { kind: 'server_error', detail }),
    });
    this.typing = new Typing({ ...deps, send: (frame) => this.say(frame) });
    this.shedding = new Shedding(deps.emit);
    this.sync = this.makeSync();
    this.changes = new Changes({
      clock,
      random,
      send: (frame) => this.say(frame),
      store: deps.store.changes,
      onStoreError: (error) => {
        const detail = error instanceof Error ? error.message : String(error);
        deps.emit('problem', { kind: 'outbox_store', detail });
      },
    });
    this.connection = this.makeConnection();
  }

  /** Takes a conversation as the server shows it. */
  learn(conversation: Conversation): void {
    this.details.learn(conversation);
    this.lifetimes.conversation(conversation);
    this.receipts.conversation(conversation);
  }

  /** Takes over what an earlier run left, then connects. */
  async start(): Promise<void> {
    await this.sending.open();
    const left = await this.changes.open();
    if (this.over) throw new StoppedError();
    for (const record of left) void this.resume(record);
    this.opened = true;
    this.deps.emit('state', { state: 'connecting' });
    this.connection.start();
  }

  /** Ends everything. Resolves when the outbox is written. */
  async stop(): Promise<void> {
    if (this.over) return;
    this.over = true;
    this.connection.stop();
    this.sync.disconnected();
    this.receipts.disconnected();
    this.typing.disconnected();
    this.presence.disconnected();
    this.activity.disconnected();
    this.changes.stop();
    this.expiry.stop();
    const written = this.sending.stop();
    this.syncWaiters.reject(new StoppedError());
    await written;
  }

  /** Drops the connection and connects again. */
  reconnect(): void {
    this.connection.reconnect('asked to');
  }

  /** See TidingsClient.send. */
  send(message: Recipient & Sendable): Outgoing {
    if (this.over) throw new StoppedError();
    if (!this.opened) throw new StoppedError('not_started');
    const outgoing = this.sending.send(message);
    if ('conversationId' in message) this.typing.typing(message.conversationId, false);
    return outgoing;
  }

  /** See TidingsClient.edit and deleteMessage; `written` null: delete. */
  async change(
    { conversationId, messageId }: MessagePlace,
    written: Written | null,
  ): Promise<Message> {
    if (this.over) throw new StoppedError();
    if (!this.opened) throw new StoppedError('not_started');
    const call = written ? 'edit' : 'deleteMessage';
    // A waiting message gets its conversation when it is sent.
    const waits = conversationId === undefined && this.sending.outgoing(messageId) !== undefined;
    const named: Record<string, unknown> = waits ? { messageId } : { conversationId, messageId };
    const missing = Object.keys(named).filter((name) => typeof named[name] !== 'string');
    if (missing.length > 0) {
      const problems = missing.map((path) => ({ path, rule: 'an id is expected' }));
      throw new InvalidCallError(call, problems);
    }
    const content = written && contentOf(written, call);
    const record = { changeId: this.newId(), messageId, conversationId, content };
    this.changes.keep(record);
    return this.ask(record);
  }

  /** How many changes are unanswered. */
  get pendingChanges(): number {
    return this.changes.size;
  }

  /** Requests a stored change as soon as its message is in the log. */
  private async ask(record: ChangeRecord): Promise<Message> {
    const { changeId } = record;
    const outcome = await this.sending.outgoing(record.messageId)?.settled();
    if (this.over) throw new StoppedError();
    const place = outcome?.state === 'sent' ? outcome.place : undefined;
    const conversationId = record.conversationId ?? place?.conversationId;
    if (outcome?.state === 'failed' || conversationId === undefined) {
      this.changes.forget(changeId);
      throw new TidingsError('not_found');
    }
    const known = { ...record, conversationId };
    // The message is leaving the outbox, and nothing else would tell the next run where it is.
    if (record.conversationId === undefined) this.changes.keep(known);
    return this.changes.ask(known);
  }

  /** Requests a change of an earlier run, whose answer nobody awaits. */
  private async resume(record: ChangeRecord): Promise<void> {
    try {
      await this.ask(record);
    } catch (error) {
      if (!(error instanceof TidingsError)) return;
      const { messageId, conversationId } = record;
      const { code, message: detail } = error;
      this.deps.emit('changeFailed', { messageId, conversationId, code, detail });
    }
  }

  /** Messages that are not in the log yet. */
  unsent(): Outgoing[] {
    return this.sending.unsent();
  }

  /** See TidingsClient.whenSynced. */
  whenSynced(): Promise<void> {
    if (this.replica.inStep) return Promise.resolve();
    if (this.over) return Promise.reject(new StoppedError());
    return this.syncWaiters.wait();
  }

  /** Sends a frame for the user; it also shows that they are active. */
  private say(frame: string): boolean {
    this.activity.said();
    return this.connection.send(frame);
  }

  private newId(): string {
    return this.ids.generateOrResetWithTs(this.deps.serverTime.now()).toString();
  }

  private makeSending(): Sending {
    const { serverTime } = this.deps;
    return new Sending({
      ...this.deps,
      serverNow: () => serverTime.now(),
      newId: () => this.newId(),
      send: (frame) => this.say(frame),
      lifetime: (conversationId) => this.lifetimes.of(conversationId),
      unsent: (record) => this.expiry.unsent(record),
      settled: (messageId) => this.expiry.settled(messageId),
      voided: (messageId, place) => this.replica.drop(place.conversationId, messageId),
    });
  }

  private makeReplica(): Replica {
    const { userId, emit } = this.deps;
    return new Replica(userId, {
      message: ({ kind, message }, source) => {
        const own = message.senderId === userId;
        if (own && source !== 'sent') this.sending.confirmed(message.messageId, message);
        this.lifetimes.entry(message);
        if (this.expiry.held(message)) return;
        emit(kind === 'new' ? 'message' : 'changed', { message, own, source });
      },
      event: (conversationId) => this.details.changed(conversationId),
      conversation: (news) => {
        if (news.what === 'gone') this.details.forget(news.conversationId);
        emit('conversation', news);
      },
      direct: (other, conversationId) => {
        this.sending.resolve(other, conversationId);
        const seconds = this.lifetimes.of(conversationId);
        if (seconds !== null) this.sending.limit(conversationId, seconds);
      },
      diverged: (detail) => emit('problem', { kind: 'diverged', detail }),
    });
  }

  private makeExpiry(): Expiry {
    const { clock, serverTime, emit } = this.deps;
    return new Expiry({
      clock,
      serverNow: () => serverTime.now(),
      drop: (conversationId, messageId) => this.replica.expire(conversationId, messageId),
      giveUp: (messageId) => this.sending.giveUp(messageId),
      gone: (conversationId, messages) => {
        this.details.expired(conversationId, messages);
        this.receipts.expired(conversationId, messages);
        emit('expired', { conversationId, messageIds: messages.map((m) => m.messageId) });
      },
    });
  }

  private makeSync(): SyncRunner {
    const { clock, random, sha256, serverTime, emit } = this.deps;
    return new SyncRunner({
      clock,
      random,
      sha256,
      serverNow: () => serverTime.now(),
      conversations: () => this.replica.all(),
      send: (frame) => this.connection.send(frame),
      served: (answer, asked) => {
        this.replica.served(answer, asked);
        this.receipts.served(answer);
      },
      finished: (result) => {
        if (result.full && result.complete) this.receipts.synced();
        if (result.inStep) this.nowInStep();
        emit('synced', result);
      },
      refused: (code, detail) =>
        emit('problem', { kind: 'sync_refused', detail: `${code}: ${detail}` }),
    });
  }

  private makeConnection(): Connection {
    const { api, deviceId, transport, clock, random, emit } = this.deps;
    const directory = async (avoid: string[], signal: AbortSignal) => {
      const body = avoid.length > 0 ? { deviceId, avoid } : { deviceId };
      const answer = await api.connections(body, signal);
      if (!signal.aborted) emit('gateways', { gateways: answer.gateways });
      return answer;
    };
    return new Connection(
      { directory, transport, clock, random },
      {
        online: (welcome) => this.welcomed(welcome),
        frame: (frame) => this.take(frame),
        lost: (reason) => this.lost(reason),
        failed: (reason) => emit('state', { state: 'offline', reason }),
        stopped: (reason) => this.deps.ended(reason),
      },
    );
  }

  private welcomed(welcome: WelcomeFrame): void {
    this.online = true;
    this.shedding.connected();
    this.heardTime(welcome.serverTime);
    this.deps.emit('state', { state: 'online', gatewayId: welcome.gatewayId });
    this.replica.connected();
    this.receipts.connected(welcome.features ?? []);
    this.typing.connected(welcome.features ?? []);
    this.activity.connected(welcome.features ?? []);
    this.presence.connected(welcome.features ?? [], welcome.limits.watch);
    this.sync.connected();
    this.sending.connected(welcome.limits);
    this.changes.connected();
  }

  private heardTime(serverTime: string): void {
    this.deps.serverTime.heard(serverTime);
    this.expiry.check();
  }

  private lost(reason: string): void {
    this.online = false;
    this.replica.inStep = false;
    this.sync.disconnected();
    this.receipts.disconnected();
    this.typing.disconnected();
    this.presence.disconnected();
    this.activity.disconnected();
    this.sending.disconnected();
    this.changes.disconnected();
    this.deps.emit('state', { state: 'connecting', reason });
  }

  private take(frame: IncomingFrame): void {
    if (frame.type !== 'shed') this.shedding.heardOther();
    switch (frame.type) {
      case 'message':
        this.typing.ended(frame.conversationId, frame.senderId);
        return this.look(frame.conversationId, this.replica.push(frame));
      case 'changed':
        if (!frame.hidden) this.look(frame.conversationId, this.replica.push(frame));
        return this.changes.changed(frame.changeId, bareMessage(frame));
      case 'conversation':
        return this.look(frame.conversationId, this.replica.pushConversation(frame));
      case 'sent':
        return this.takeSent(frame);
      case 'held':
        return this.sending.held(frame.messageId);
      case 'synced':
        return this.sync.synced(frame);
      case 'receipt':
        return this.receipts.take(frame);
      case 'typing':
        return this.typing.take(frame);
      case 'resync':
        this.replica.inStep = false;
        return this.sync.resync(frame.withinMs);
      case 'error':
        return this.takeError(frame);
      case 'pending':
        return this.deps.emit('pending', frame);
      case 'account':
        return this.deps.emit('account', frame);
      case 'pong':
        return this.heardTime(frame.serverTime);
      case 'presence':
        return this.presence.take(frame);
      case 'shed':
        return this.shedding.take(frame);
      case 'welcome':
      case 'goodbye':
        return;
    }
  }

  private takeSent(frame: Extract<IncomingFrame, { type: 'sent' }>): void {
    const { messageId, conversationId } = frame;
    const held = this.replica.get(conversationId)?.message(messageId);
    const own = this.sending.written(messageId) ?? held;
    this.sending.confirmed(messageId, frame);
    // What the server adds to an image or a file comes with its push.
    if (!own || !isWhole(own.content)) return;
    this.replica.sent(frame, { ...own, content: own.content });
  }

  private takeError(frame: Extract<IncomingFrame, { type: 'error' }>): void {
    if (this.sync.error(frame) || this.changes.refused(frame) || this.receipts.error(frame)) return;
    if (this.presence.refused(frame)) return;
    const messageId = frame.messageId ?? frame.ref;
    if (messageId !== undefined) return this.sending.refused(messageId, frame);
    const detail = `${frame.code}: ${frame.detail}`;
    this.deps.emit('problem', { kind: 'server_error', detail });
  }

  /** Requests a sync of a conversation when something in it is missing. */
  private look(conversationId: string, unknown: boolean): void {
    if (unknown || this.replica.get(conversationId)?.gap) this.sync.check(conversationId);
    this.receipts.touched(conversationId);
  }

  private nowInStep(): void {
    this.replica.inStep = this.online;
    this.syncWaiters.resolve();
  }
}

function isWhole(content: Content | MessageContent): content is MessageContent {
  return content.kind === 'event' || content.kind === 'deleted' || isSentContent(content);
}
