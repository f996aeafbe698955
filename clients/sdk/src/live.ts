import {
  isSentContent,
  type Content,
  type Message,
  type MessageContent,
} from '@tidings/common/contracts/content';
import { TidingsError } from '@tidings/common/contracts/errors';
import { extrasOf } from '@tidings/common/contracts/extras';
import { LIMITS } from '@tidings/common/contracts/limits';
import { utf8Bytes } from '@tidings/common/contracts/text';
import { V7Generator } from 'uuidv7';
import type { TidingsApi } from './api';
import { Changes } from './changes';
import type { ClientEvents } from './client-events';
import type { Clock, Random } from './clock';
import { Connection, type StopReason, type WelcomeFrame } from './connection';
import { Details } from './details';
import { StoppedError } from './errors';
import type { IncomingFrame } from './frames';
import { encodeSend, Outbox, type StateDetail } from './outbox';
import type { OutboxEntry } from './outbox-lane';
import type { OutboxRecord, OutboxStore } from './outbox-store';
import { Outgoing } from './outgoing';
import { Receipts } from './receipts';
import { bareMessage, Replica } from './replica';
import { contentOf, type Recipient, type Sendable, type Written } from './sendable';
import type { ServerTime } from './server-time';
import type { Hash } from './sha256';
import { SyncRunner } from './sync-runner';
import type { Transport } from './transport';

/** What the live part of a client is made of. */
export interface LiveDeps {
  userId: string;
  deviceId: string;
  api: TidingsApi;
  transport: Transport;
  sha256: Hash;
  store: OutboxStore;
  serverTime: ServerTime;
  clock: Clock;
  random: Random;
  emit<K extends keyof ClientEvents>(name: K, event: ClientEvents[K]): void;
  /** The server ended the connection for good. */
  ended(reason: StopReason): void;
}

/**
 * The part of a client that lives between `start` and `stop`: joins connection, replica, sync and
 * outbox, and turns what they tell into events.
 */
export class Live {
  readonly replica: Replica;
  readonly details: Details;
  readonly receipts: Receipts;
  private readonly outbox: Outbox;
  private readonly sync: SyncRunner;
  private readonly changes: Changes;
  private readonly connection: Connection;
  private readonly handles = new Map<string, Outgoing>();
  private readonly ids = new V7Generator();
  private opened = false;
  private online = false;
  private over = false;
  private syncWaiters: { resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(private readonly deps: LiveDeps) {
    this.details = new Details(
      (id) => deps.api.conversation(id),
      (conversation) => deps.emit('details', { conversation }),
    );
    this.outbox = this.makeOutbox();
    this.replica = this.makeReplica();
    this.receipts = new Receipts({
      ...deps,
      model: (conversationId) => this.replica.get(conversationId),
      send: (frame) => this.connection.send(frame),
    });
    this.sync = this.makeSync();
    const { clock, random } = deps;
    this.changes = new Changes({ clock, random, send: (frame) => this.connection.send(frame) });
    this.connection = this.makeConnection();
  }

  /** Takes over what an earlier run left, then connects. */
  async start(): Promise<void> {
    await this.outbox.open();
    if (this.over) throw new StoppedError();
    this.opened = true;
    for (const entry of this.outbox.entries()) this.handle(entry.record).follow(entry);
    this.deps.emit('state', { state: 'connecting' });
    this.connection.start();
  }

  /** Ends everything; settles when the outbox is written. */
  async stop(): Promise<void> {
    if (this.over) return;
    this.over = true;
    this.connection.stop();
    this.sync.disconnected();
    this.receipts.disconnected();
    this.outbox.disconnected();
    this.changes.stop();
    for (const outgoing of this.handles.values()) outgoing.settle({ state: 'stopped' });
    for (const { reject } of this.syncWaiters.splice(0)) reject(new StoppedError());
    await this.outbox.close();
  }

  /** Gives the connection up and connects again. */
  reconnect(): void {
    this.connection.reconnect('asked to');
  }

  /** See TidingsClient.send. */
  send(message: Recipient & Sendable): Outgoing {
    if (this.over) throw new StoppedError();
    if (!this.opened) throw new StoppedError('Start first');
    const content = contentOf(message);
    const now = this.deps.serverTime.now();
    const messageId = this.newId();
    const address =
      'to' in message ? { to: message.to } : { conversationId: message.conversationId };
    const extras = extrasOf(message);
    const record: OutboxRecord = { messageId, ...address, content, ...extras, writtenAt: now };
    if (utf8Bytes(encodeSend(record, true)) > LIMITS.clientFrameBytes) {
      throw new TidingsError('payload_too_large');
    }
    const outgoing = this.handle(record);
    try {
      outgoing.follow(this.outbox.add(record));
    } catch (error) {
      this.handles.delete(messageId);
      throw error;
    }
    return outgoing;
  }

  /** See TidingsClient.edit and deleteMessage; `written` null: delete. */
  async change(
    { conversationId, messageId }: { conversationId: string; messageId: string },
    written: Written | null,
  ): Promise<Message> {
    if (this.over) throw new StoppedError();
    if (!this.opened) throw new StoppedError('Start first');
    const content = written && contentOf(written);
    const outcome = await this.handles.get(messageId)?.settled();
    if (outcome?.state === 'failed') throw new TidingsError('not_found');
    if (this.over) throw new StoppedError();
    return this.changes.ask({ changeId: this.newId(), conversationId, messageId, content });
  }

  /** Messages that are not in the log yet. */
  unsent(): Outgoing[] {
    return this.outbox.entries().flatMap((e) => this.handles.get(e.record.messageId) ?? []);
  }

  /** See TidingsClient.whenSynced. */
  whenSynced(): Promise<void> {
    if (this.replica.inStep) return Promise.resolve();
    if (this.over) return Promise.reject(new StoppedError());
    return new Promise((resolve, reject) => this.syncWaiters.push({ resolve, reject }));
  }

  private newId(): string {
    return this.ids.generateOrResetWithTs(this.deps.serverTime.now()).toString();
  }

  private makeOutbox(): Outbox {
    const { store, clock, random, emit } = this.deps;
    return new Outbox({
      store,
      clock,
      random,
      send: (frame) => this.connection.send(frame),
      onState: (entry, detail) => this.outgoingChanged(entry, detail),
      onVoid: (messageId, place, error) => {
        this.replica.drop(place.conversationId, messageId);
        emit('failed', { messageId, ...error, void: true });
      },
      onStoreError: (error) => {
        const detail = error instanceof Error ? error.message : String(error);
        emit('problem', { kind: 'outbox_store', detail });
      },
    });
  }

  private makeReplica(): Replica {
    const { userId, emit } = this.deps;
    return new Replica(userId, {
      message: ({ kind, message }, source) => {
        const own = message.senderId === userId;
        if (own && source !== 'sent') this.outbox.confirmed(message.messageId, message);
        emit(kind === 'new' ? 'message' : 'changed', { message, own, source });
      },
      event: (conversationId) => this.details.changed(conversationId),
      conversation: (news) => {
        if (news.what === 'gone') this.details.forget(news.conversationId);
        emit('conversation', news);
      },
      direct: (other, conversationId) => this.outbox.resolve(other, conversationId),
      diverged: (detail) => emit('problem', { kind: 'diverged', detail }),
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
    const directory = (avoid: string[], signal: AbortSignal) =>
      api.connections(avoid.length > 0 ? { deviceId, avoid } : { deviceId }, signal);
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
    this.deps.serverTime.heard(welcome.serverTime);
    this.deps.emit('state', { state: 'online', gatewayId: welcome.gatewayId });
    this.replica.connected();
    this.receipts.connected(welcome.features ?? []);
    this.sync.connected();
    this.outbox.connected(welcome.limits);
    this.changes.connected();
  }

  private lost(reason: string): void {
    this.online = false;
    this.replica.inStep = false;
    this.sync.disconnected();
    this.receipts.disconnected();
    this.outbox.disconnected();
    this.changes.disconnected();
    this.deps.emit('state', { state: 'connecting', reason });
  }

  private take(frame: IncomingFrame): void {
    switch (frame.type) {
      case 'message':
        return this.look(frame.conversationId, this.replica.push(frame));
      case 'changed':
        this.look(frame.conversationId, this.replica.push(frame));
        return this.changes.changed(frame.changeId, bareMessage(frame));
      case 'conversation':
        return this.look(frame.conversationId, this.replica.pushConversation(frame));
      case 'sent':
        return this.takeSent(frame);
      case 'held':
        return this.outbox.held(frame.messageId);
      case 'synced':
        return this.sync.synced(frame);
      case 'receipt':
        return this.receipts.take(frame);
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
        return this.deps.serverTime.heard(frame.serverTime);
      case 'welcome':
      case 'goodbye':
        return;
    }
  }

  private takeSent(frame: Extract<IncomingFrame, { type: 'sent' }>): void {
    const { messageId, conversationId } = frame;
    const held = this.replica.get(conversationId)?.message(messageId);
    const own = this.outbox.record(messageId) ?? held;
    this.outbox.confirmed(messageId, frame);
    // What the server adds to an image or a file comes with its push.
    if (own && isWhole(own.content)) this.replica.sent(frame, { ...own, content: own.content });
  }

  private takeError(frame: Extract<IncomingFrame, { type: 'error' }>): void {
    if (this.sync.error(frame) || this.changes.refused(frame) || this.receipts.error(frame)) return;
    const messageId = frame.messageId ?? frame.ref;
    if (messageId !== undefined) return this.outbox.refused(messageId, frame);
    const detail = `${frame.code}: ${frame.detail}`;
    this.deps.emit('problem', { kind: 'server_error', detail });
  }

  /** Has a conversation synced when something of it is missing. */
  private look(conversationId: string, unknown: boolean): void {
    if (unknown || this.replica.get(conversationId)?.gap) this.sync.check(conversationId);
    this.receipts.touched(conversationId);
  }

  private handle(record: OutboxRecord): Outgoing {
    const outgoing = new Outgoing(record);
    this.handles.set(record.messageId, outgoing);
    return outgoing;
  }

  private outgoingChanged(entry: OutboxEntry, { place, error }: StateDetail): void {
    const { emit } = this.deps;
    const { messageId } = entry.record;
    const outgoing = this.handles.get(messageId);
    if (!outgoing) return;
    if (place) outgoing.settle({ state: 'sent', place });
    else if (error) outgoing.settle({ state: 'failed', ...error });
    emit('outgoing', { outgoing, state: entry.state });
    if (entry.state === 'held') emit('held', { outgoing });
    if (!place && !error) return;
    this.handles.delete(messageId);
    if (place) emit('sent', { outgoing, place });
    else emit('failed', { messageId, outgoing, ...error!, void: false });
  }

  private nowInStep(): void {
    this.replica.inStep = this.online;
    for (const { resolve } of this.syncWaiters.splice(0)) resolve();
  }
}

function isWhole(content: Content | MessageContent): content is MessageContent {
  return content.kind === 'event' || content.kind === 'deleted' || isSentContent(content);
}
