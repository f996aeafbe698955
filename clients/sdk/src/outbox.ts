import type { ErrorFrame, SentFrame } from '@tidings/protocol/frames';
import { LIMITS, TIMINGS } from '@tidings/protocol/limits';
import { fullJitter } from './backoff';
import type { Cancel, Clock, Random } from './clock';
import { OutboxFullError } from './errors';
import { laneKey, OutboxAddresses } from './outbox-addresses';
import { OutboxLane, type OutboxEntry, type OutgoingState } from './outbox-lane';
import type { OutboxRecord, OutboxStore } from './outbox-store';
import { Pacer } from './pacer';
import { encodeSend } from './send-frame';

/** Where a message has its place in the log. */
export type Place = Pick<SentFrame, 'conversationId' | 'position' | 'sentAt'>;

/** What belongs to a state: the place of a sent message, the error of a failed one. */
export interface StateDetail {
  place?: Place;
  error?: { code: string; detail: string };
}

/** What an outbox needs. */
export interface OutboxDeps {
  store: OutboxStore;
  clock: Clock;
  random: Random;
  /** Puts a frame on the wire; false: there is no connection. */
  send(frame: string): boolean;
  /** An entry reached another state. */
  onState(entry: OutboxEntry, detail: StateDetail): void;
  /** A message reported as sent is void: its id belongs to another one. */
  onVoid(messageId: string, place: Place, error: { code: string; detail: string }): void;
  /** The store could not keep a message; it is sent anyway. */
  onStoreError(error: unknown): void;
}

/** The limits of a connection that concern sending. */
export type SendLimits = Partial<
  Record<'unansweredSends' | 'sendsPerSecond' | 'sendBurst', number>
>;

/** How many messages may wait, on the wire or not. */
export const OUTBOX_LIMIT = 10_000;
/** How many settled ids are remembered, to tell which message a late conflict is about. */
const RECENT = 1_000;
/** The outcome of a message in a temporary chat that expired before it was sent. */
const EXPIRED = {
  code: 'content_expired',
  detail: 'Its lifetime was over before it was known to be sent',
} as const;
/** How often unanswered messages are looked at. */
const CHECK_MS = 1_000;
/** The pause after a retryable refusal is never shorter, so that copies do not cross refusals. */
const SHORTEST_PAUSE_MS = 100;

/**
 * Much shorter than between connects: the socket stands, and one frame per conversation asks whether
 * the gateway takes sends again.
 */
const REFUSAL_PAUSE = { baseMs: TIMINGS.backoffBaseMs, maxMs: 2_000 };

/**
 * Messages on their way to the log, in order per conversation. Each is kept until its id comes
 * back, and sent again with the same id when no answer comes (docs/PROTOCOL.md §6).
 */
export class Outbox {
  private readonly byId = new Map<string, { entry: OutboxEntry; lane: OutboxLane }>();
  private readonly lanes = new Map<string, OutboxLane>();
  /** Lanes with something left to be put on the wire. */
  private readonly ready = new Set<OutboxLane>();
  private readonly recent = new Map<string, Place>();
  private readonly addresses = new OutboxAddresses();
  private readonly pacer: Pacer;
  private unanswered = 0;
  private maxUnanswered: number = LIMITS.unansweredSends;
  private online = false;
  private timer: { at: number; cancel: Cancel } | null = null;

  constructor(private readonly deps: OutboxDeps) {
    this.pacer = new Pacer(deps.clock);
  }

  /** Takes over what an earlier run left. */
  async open(): Promise<void> {
    for (const record of await this.deps.store.load()) {
      if (!this.byId.has(record.messageId)) this.enqueue(record, true).kept = true;
    }
    this.pump();
  }

  /** How many messages are not settled yet. */
  get size(): number {
    return this.byId.size;
  }

  /** The messages that are not settled, oldest first within a conversation. */
  entries(): OutboxEntry[] {
    return [...this.lanes.values()].flatMap((lane) => lane.entries);
  }

  /** The record of a message that is not settled. */
  record(messageId: string): OutboxRecord | undefined {
    return this.byId.get(messageId)?.entry.record;
  }

  /**
   * Takes a message. It is sent once it is stored and the connection allows it.
   *
   * @throws OutboxFullError when {@link OUTBOX_LIMIT} messages wait
   */
  add(record: OutboxRecord): OutboxEntry {
    if (this.byId.size >= OUTBOX_LIMIT) throw new OutboxFullError(OUTBOX_LIMIT);
    const addressed = this.addresses.address(record, (lane) => this.lanes.has(lane));
    const entry = this.enqueue(addressed, false);
    const kept = (): void => {
      entry.kept = true;
      this.pump();
    };
    let keeping: void | Promise<void> = undefined;
    try {
      keeping = this.deps.store.add(addressed);
    } catch (error) {
      this.deps.onStoreError(error);
    }
    if (!keeping) {
      kept();
    } else {
      keeping.catch((error: unknown) => this.deps.onStoreError(error)).finally(kept);
    }
    return entry;
  }

  /** Learns that the direct conversation with this user has this id. */
  resolve(userId: string, conversationId: string): void {
    this.addresses.resolve(userId, conversationId);
  }

  /** Connected: everything unsettled is sent again, from the oldest. */
  connected(limits: SendLimits): void {
    this.online = true;
    this.maxUnanswered = limits.unansweredSends || LIMITS.unansweredSends;
    this.pacer.reset(limits.sendsPerSecond ?? 0, limits.sendBurst ?? 0);
    for (const lane of this.lanes.values()) {
      this.setBack(lane);
      lane.pausedUntil = 0;
      lane.tries = 0;
    }
    this.pump();
  }

  /** The connection is lost. */
  disconnected(): void {
    this.online = false;
    this.stopTimer();
    for (const lane of this.lanes.values()) this.setBack(lane);
  }

  /** Stops for good. Resolves when the store has written everything. */
  async close(): Promise<void> {
    this.disconnected();
    await this.deps.store.close();
  }

  /** The message is in the log: told by `sent`, or met as an own message in a push or a history. */
  confirmed(messageId: string, place: Place): void {
    const held = this.byId.get(messageId);
    if (!held) return;
    if (held.entry.record.to !== undefined) {
      this.resolve(held.entry.record.to, place.conversationId);
    }
    // Whoever tells it may have more to tell, of which nothing is kept here.
    const { conversationId, position, sentAt } = place;
    this.recent.set(messageId, { conversationId, position, sentAt });
    if (this.recent.size > RECENT) this.recent.delete(this.recent.keys().next().value!);
    held.lane.tries = 0;
    this.settle(held.entry, held.lane, 'sent', { place });
  }

  /** The message lies on the gateway's disk. */
  held(messageId: string): void {
    const held = this.byId.get(messageId);
    if (!held || held.entry.state === 'waiting') return;
    const { entry, lane } = held;
    if (entry.state === 'sending') this.unanswered--;
    if (++entry.holds === 1) lane.tries = 0;
    entry.since = this.deps.clock.now();
    this.change(entry, 'held', {});
    this.pump();
  }

  /** An unsent message has expired: it is dropped, wherever it is. */
  expire(messageId: string): void {
    const held = this.byId.get(messageId);
    if (held) this.settle(held.entry, held.lane, 'failed', { error: EXPIRED });
  }

  /** The conversation that a record goes to, as far as known. */
  conversation(record: OutboxRecord): string | undefined {
    return this.addresses.conversation(record);
  }

  /** The server refused a message, for now or for good. */
  refused(messageId: string, error: ErrorFrame): void {
    const held = this.byId.get(messageId);
    const { code, detail } = error;
    if (!held) {
      const place = this.recent.get(messageId);
      if (!place || code !== 'message_id_conflict') return;
      this.recent.delete(messageId);
      this.deps.onVoid(messageId, place, { code, detail });
      return;
    }
    const { entry, lane } = held;
    if (!error.retryable) return this.settle(entry, lane, 'failed', { error: { code, detail } });
    this.pause(lane, entry, error.retryAfterMs ?? 0);
  }

  /** The gateway refuses this conversation until a refused id comes again: all go once more. */
  private pause(lane: OutboxLane, entry: OutboxEntry, retryAfterMs: number): void {
    const now = this.deps.clock.now();
    let ms = retryAfterMs;
    if (entry.state !== 'waiting') {
      const jitter = fullJitter(lane.tries++, REFUSAL_PAUSE, this.deps.random);
      ms = Math.max(ms, SHORTEST_PAUSE_MS + jitter);
      this.setBack(lane);
    }
    lane.pausedUntil = Math.max(lane.pausedUntil, now + ms);
    this.pump();
  }

  private enqueue(record: OutboxRecord, retry: boolean): OutboxEntry {
    const key = laneKey(record);
    let lane = this.lanes.get(key);
    if (!lane) this.lanes.set(key, (lane = new OutboxLane()));
    const entry: OutboxEntry = {
      record,
      state: 'waiting',
      retry,
      kept: false,
      holds: 0,
      since: 0,
    };
    lane.entries.push(entry);
    this.byId.set(record.messageId, { entry, lane });
    this.ready.add(lane);
    return entry;
  }

  private settle(
    entry: OutboxEntry,
    lane: OutboxLane,
    state: 'sent' | 'failed',
    detail: StateDetail,
  ): void {
    if (entry.state === 'sending') this.unanswered--;
    lane.take(entry);
    this.byId.delete(entry.record.messageId);
    if (lane.entries.length === 0) {
      this.lanes.delete(laneKey(entry.record));
      this.ready.delete(lane);
    }
    this.deps.store.remove(entry.record.messageId);
    this.change(entry, state, detail);
    this.pump();
  }

  /** Everything on the wire counts as unsent. */
  private setBack(lane: OutboxLane): void {
    for (const entry of lane.rewind()) {
      if (entry.state === 'sending') this.unanswered--;
      this.change(entry, 'waiting', {});
    }
    this.ready.add(lane);
  }

  private change(entry: OutboxEntry, state: OutgoingState, detail: StateDetail): void {
    entry.state = state;
    this.deps.onState(entry, detail);
  }

  /** Sends what may be sent. */
  private pump(): void {
    if (!this.online) return;
    for (const lane of this.ready) {
      if (!this.pumpLane(lane)) break;
      if (!lane.waiting) this.ready.delete(lane);
    }
    if (this.byId.size > 0) this.wake(CHECK_MS);
  }

  /** False: nothing more may be sent at the moment, from any lane. */
  private pumpLane(lane: OutboxLane): boolean {
    const now = this.deps.clock.now();
    for (let entry = lane.peek(now); entry; entry = lane.peek(now)) {
      if (this.unanswered >= this.maxUnanswered) return false;
      const wait = this.pacer.take();
      if (wait > 0) {
        this.wake(wait);
        return false;
      }
      const frame = encodeSend(entry.record, entry.retry);
      lane.advance(now);
      this.unanswered++;
      this.deps.onState(entry, {});
      if (!this.deps.send(frame) || !this.online) return false;
    }
    if (lane.waiting && lane.pausedUntil > now) this.wake(lane.pausedUntil - now);
    return true;
  }

  private wake(ms: number): void {
    const at = this.deps.clock.now() + ms;
    if (this.timer && this.timer.at <= at) return;
    this.stopTimer();
    const cancel = this.deps.clock.after(ms, () => {
      this.timer = null;
      this.check();
    });
    this.timer = { at, cancel };
  }

  private stopTimer(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  /** Sends again what has waited too long for its answer. */
  private check(): void {
    const now = this.deps.clock.now();
    for (const lane of this.lanes.values()) {
      const deadline = lane.deadline();
      if (deadline === null || now < deadline) continue;
      lane.tries++;
      this.setBack(lane);
    }
    this.pump();
  }
}
