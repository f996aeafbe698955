import type { Content, Message } from '@tidings/protocol/content';
import { isErrorCode, TidingsError } from '@tidings/protocol/errors';
import type { ChangeFrame, ErrorFrame } from '@tidings/protocol/frames';
import { fullJitter } from './backoff';
import type { Cancel, Clock, Random } from './clock';
import { OutboxFullError, StoppedError } from './errors';
import type { ChangeRecord, ChangeStore } from './outbox-store';

/** A change of a message that this client requests. `content` null: delete it. */
export interface WantedChange {
  changeId: string;
  conversationId: string;
  messageId: string;
  content: Content | null;
}

/** What is needed to request changes. */
export interface ChangesDeps {
  clock: Clock;
  random: Random;
  /** Sends a frame; false: not connected. */
  send(frame: string): boolean;
  /** Where changes are kept beyond the life of the client; absent: nowhere. */
  store?: ChangeStore;
  /** The store could not keep a change; it is requested anyway. */
  onStoreError(error: unknown): void;
}

interface Asked extends WantedChange {
  resolve(message: Message): void;
  reject(error: Error): void;
  /** When it is sent (again), by the client's clock. */
  dueAt: number;
  tries: number;
}

/** How many changes may wait for their answers. */
export const CHANGES_LIMIT = 1_000;
/** How long an answer may take before a change is requested again, in milliseconds. */
const ANSWER_MS = 10_000;
const CHECK_MS = 1_000;
const RETRY = { baseMs: 500, maxMs: 10_000 };

/**
 * Edits and deletions in progress. Each is requested with the same id until the server answers;
 * those of one message go one after another. If there is a store, unanswered changes survive the
 * client, and the next one requests them again: the server carries out each id once.
 */
export class Changes {
  /** By message. Only the first of each is on the wire. */
  private readonly lanes = new Map<string, Asked[]>();
  private readonly byId = new Map<string, Asked>();
  /** Everything without an answer: on the wire, or waiting for its message to be sent. */
  private readonly wanted = new Map<string, ChangeRecord>();
  private online = false;
  private timer: Cancel | null = null;

  constructor(private readonly deps: ChangesDeps) {}

  /** How many changes are unanswered. */
  get size(): number {
    return this.wanted.size;
  }

  /** What an earlier run left, in the order of the requests; to be requested again. */
  async open(): Promise<ChangeRecord[]> {
    const left = (await this.deps.store?.load()) ?? [];
    for (const record of left) this.wanted.set(record.changeId, record);
    return left;
  }

  /**
   * Notes a change that will be requested. Called again when more is known about it.
   *
   * @throws OutboxFullError when {@link CHANGES_LIMIT} changes wait
   */
  keep(record: ChangeRecord): void {
    if (this.wanted.size >= CHANGES_LIMIT && !this.wanted.has(record.changeId)) {
      throw new OutboxFullError(CHANGES_LIMIT);
    }
    this.wanted.set(record.changeId, record);
    const { store, onStoreError } = this.deps;
    try {
      store?.add(record)?.catch(onStoreError);
    } catch (error) {
      onStoreError(error);
    }
  }

  /** A change needs no answer any more. */
  forget(changeId: string): void {
    if (this.wanted.delete(changeId)) this.deps.store?.remove(changeId);
  }

  /**
   * Requests a change. Resolves with the message after the change.
   *
   * @throws OutboxFullError when {@link CHANGES_LIMIT} changes wait
   */
  ask(wanted: WantedChange): Promise<Message> {
    if (this.byId.size >= CHANGES_LIMIT) return Promise.reject(new OutboxFullError(CHANGES_LIMIT));
    return new Promise((resolve, reject) => {
      const asked: Asked = { ...wanted, resolve, reject, dueAt: 0, tries: 0 };
      this.byId.set(asked.changeId, asked);
      const lane = this.lanes.get(asked.messageId);
      if (lane) lane.push(asked);
      else this.lanes.set(asked.messageId, [asked]);
      this.pump();
    });
  }

  /** Connected: everything unanswered is requested again. */
  connected(): void {
    this.online = true;
    for (const asked of this.byId.values()) asked.dueAt = 0;
    this.pump();
  }

  disconnected(): void {
    this.online = false;
    this.timer?.();
    this.timer = null;
  }

  /** A change came back, as an answer or as a push. */
  changed(changeId: string, message: Message): void {
    const asked = this.settle(changeId);
    asked?.resolve(message);
  }

  /** Handles an error that answers a change; false: it is about something else. */
  refused(error: ErrorFrame): boolean {
    const asked = error.ref === undefined ? undefined : this.byId.get(error.ref);
    if (!asked) return false;
    if (error.retryable) {
      const pause = fullJitter(asked.tries++, RETRY, this.deps.random);
      asked.dueAt = this.deps.clock.now() + Math.max(error.retryAfterMs ?? 0, pause);
      return true;
    }
    // A later version of the server may use codes that are unknown here.
    const code = isErrorCode(error.code) ? error.code : 'invalid_request';
    this.settle(asked.changeId)?.reject(new TidingsError(code, { detail: error.detail }));
    return true;
  }

  /** Ends all waiting. Whether the changes were made remains unknown. */
  stop(): void {
    this.disconnected();
    for (const asked of this.byId.values()) asked.reject(new StoppedError());
    this.byId.clear();
    this.lanes.clear();
    this.wanted.clear();
  }

  private settle(changeId: string): Asked | undefined {
    this.forget(changeId);
    const asked = this.byId.get(changeId);
    if (!asked) return undefined;
    this.byId.delete(changeId);
    const lane = (this.lanes.get(asked.messageId) ?? []).filter((one) => one !== asked);
    if (lane.length > 0) this.lanes.set(asked.messageId, lane);
    else this.lanes.delete(asked.messageId);
    this.pump();
    return asked;
  }

  private pump(): void {
    if (!this.online) return;
    const now = this.deps.clock.now();
    for (const [first] of this.lanes.values()) {
      if (!first || first.dueAt > now) continue;
      first.dueAt = now + ANSWER_MS;
      if (!this.deps.send(encodeChange(first))) return;
    }
    if (this.byId.size === 0) {
      this.timer?.();
      this.timer = null;
    } else {
      this.timer ??= this.deps.clock.after(CHECK_MS, () => {
        this.timer = null;
        this.pump();
      });
    }
  }
}

function encodeChange({ changeId, messageId, conversationId, content }: WantedChange): string {
  const ids = { changeId, messageId, conversationId };
  const frame: ChangeFrame =
    content === null ? { type: 'delete', ...ids } : { type: 'edit', ...ids, content };
  return JSON.stringify(frame);
}
