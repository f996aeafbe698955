import type { Content } from '@tidings/protocol/content';
import { TidingsError } from '@tidings/protocol/errors';
import { extrasOf, type Extras } from '@tidings/protocol/extras';
import type { ErrorFrame } from '@tidings/protocol/frames';
import { LIMITS } from '@tidings/protocol/limits';
import { utf8Bytes } from '@tidings/protocol/text';
import type { ClientEvents } from './client-events';
import type { Clock, Random } from './clock';
import { Outbox, type Place, type SendLimits, type StateDetail } from './outbox';
import type { OutboxEntry } from './outbox-lane';
import type { OutboxRecord, OutboxStore } from './outbox-store';
import { Outgoing } from './outgoing';
import { encodeSend } from './send-frame';
import { addressOf, contentOf, type Recipient, type Sendable } from './sendable';

export interface SendingDeps {
  store: OutboxStore;
  clock: Clock;
  random: Random;
  /** Unix milliseconds on the server. */
  serverNow(): number;
  newId(): string;
  /** How long messages of a conversation live, in seconds; null: for good. */
  lifetime(conversationId: string): number | null;
  /** A message is unsent. It comes with the time at which it expires, if any. */
  unsent(record: OutboxRecord): void;
  /** A message is no longer unsent. */
  settled(messageId: string): void;
  /** Sends a frame; false: not connected. */
  send(frame: string): boolean;
  /** A message reported as sent is void: its id belongs to another one. */
  voided(messageId: string, place: Place): void;
  emit<K extends keyof ClientEvents>(name: K, event: ClientEvents[K]): void;
}

/** Everything sent: the outbox, and the handles with which an application follows its messages. */
export class Sending {
  private readonly outbox: Outbox;
  private readonly handles = new Map<string, Outgoing>();

  constructor(private readonly deps: SendingDeps) {
    const { store, clock, random, emit, send } = deps;
    this.outbox = new Outbox({
      store,
      clock,
      random,
      send,
      onState: (entry, detail) => this.changed(entry, detail),
      onVoid: (messageId, place, error) => {
        deps.voided(messageId, place);
        emit('failed', { messageId, ...error, void: true });
      },
      onStoreError: (error) => {
        const detail = error instanceof Error ? error.message : String(error);
        emit('problem', { kind: 'outbox_store', detail });
      },
    });
  }

  /** Takes over what an earlier run left. */
  async open(): Promise<void> {
    await this.outbox.open();
    for (const entry of this.outbox.entries()) this.handle(entry.record).follow(entry);
    for (const { record } of this.outbox.entries()) this.deps.unsent(record);
  }

  /** See TidingsClient.send. */
  send(message: Recipient & Sendable): Outgoing {
    const address = addressOf(message);
    const content = contentOf(message);
    const messageId = this.deps.newId();
    const writtenAt = this.deps.serverNow();
    const record: OutboxRecord = {
      messageId,
      ...address,
      content,
      ...extrasOf(message),
      writtenAt,
    };
    const conversationId = this.outbox.conversation(record);
    const seconds = conversationId === undefined ? null : this.deps.lifetime(conversationId);
    if (seconds !== null) record.expiresAt = writtenAt + seconds * 1000;
    const bytes = utf8Bytes(encodeSend(record, true));
    if (bytes > LIMITS.clientFrameBytes) {
      const detail = `The whole message is ${bytes} bytes; at most ${LIMITS.clientFrameBytes}`;
      throw new TidingsError('payload_too_large', { detail });
    }
    const outgoing = this.handle(record);
    try {
      outgoing.follow(this.outbox.add(record));
    } catch (error) {
      this.handles.delete(messageId);
      throw error;
    }
    this.deps.unsent(record);
    return outgoing;
  }

  /** Messages that are not in the log yet, oldest first within a conversation. */
  unsent(): Outgoing[] {
    return this.outbox.entries().flatMap((e) => this.handles.get(e.record.messageId) ?? []);
  }

  /** The handle of a message that is not settled. */
  outgoing(messageId: string): Outgoing | undefined {
    return this.handles.get(messageId);
  }

  /** Content and extras of a message that is not settled. */
  written(messageId: string): ({ content: Content } & Extras) | undefined {
    return this.outbox.record(messageId);
  }

  connected(limits: SendLimits): void {
    this.outbox.connected(limits);
  }

  disconnected(): void {
    this.outbox.disconnected();
  }

  /** The message is in the log. */
  confirmed(messageId: string, place: Place): void {
    this.outbox.confirmed(messageId, place);
  }

  /** The message lies on the gateway's disk. */
  held(messageId: string): void {
    this.outbox.held(messageId);
  }

  /** The server refused a message, for now or for good. */
  refused(messageId: string, error: ErrorFrame): void {
    this.outbox.refused(messageId, error);
  }

  /** The direct conversation with this user has this id. */
  resolve(userId: string, conversationId: string): void {
    this.outbox.resolve(userId, conversationId);
  }

  /**
   * Messages of a conversation live this long now, in seconds; unsent ones from when they were
   * written.
   */
  limit(conversationId: string, seconds: number | null): void {
    for (const { record } of this.outbox.entries()) {
      if (this.outbox.conversation(record) !== conversationId) continue;
      record.expiresAt = seconds === null ? undefined : record.writtenAt + seconds * 1000;
      this.deps.unsent(record);
    }
  }

  /** An unsent message has expired. */
  giveUp(messageId: string): void {
    this.outbox.expire(messageId);
  }

  /** Ends everything. Resolves when the store has written everything. */
  async stop(): Promise<void> {
    this.outbox.disconnected();
    for (const outgoing of this.handles.values()) outgoing.settle({ state: 'stopped' });
    await this.outbox.close();
  }

  private handle(record: OutboxRecord): Outgoing {
    const outgoing = new Outgoing(record);
    this.handles.set(record.messageId, outgoing);
    return outgoing;
  }

  private changed(entry: OutboxEntry, { place, error }: StateDetail): void {
    const { emit } = this.deps;
    const { messageId } = entry.record;
    const outgoing = this.handles.get(messageId);
    if (!outgoing) return;
    if (place) outgoing.settle({ state: 'sent', place });
    else if (error) outgoing.settle({ state: 'failed', ...error });
    emit('outgoing', { outgoing, state: entry.state });
    if (entry.state === 'held') emit('held', { outgoing });
    if (!place && !error) return;
    this.deps.settled(messageId);
    this.handles.delete(messageId);
    if (place) emit('sent', { outgoing, place });
    else emit('failed', { messageId, outgoing, ...error!, void: false });
  }
}
