import type { Content, Message } from '@tidings/protocol/content';
import { isErrorCode, TidingsError } from '@tidings/protocol/errors';
import type { ChangeFrame, ErrorFrame } from '@tidings/protocol/frames';
import { fullJitter } from './backoff';
import type { Cancel, Clock, Random } from './clock';
import { OutboxFullError, StoppedError } from './errors';
import type { ChangeRecord, ChangeStore } from './outbox-store';

/** A change of a message that this client asks for. `content` null: delete it. */
export interface WantedChange {
  changeId: string;
  conversationId: string;
  messageId: string;
  content: Content | null;
}

/** What asking for changes needs. */
export interface ChangesDeps {
  clock: Clock;
  random: Random;
  /** Puts a frame on the wire; false: there is no connection. */
  send(frame: string): boolean;
  /** Where changes outlive the client; left out: they do not. */
  store?: ChangeStore;
  /** The store could not keep a change; it is asked for nevertheless. */
  onStoreError(error: unknown): void;
}

interface Asked extends WantedChange {
  resolve(message: Message): void;
  reject(error: Error): void;
  /** By the client's clock: when it goes out (again). */
  dueAt: number;
  tries: number;
}

/** How many changes may wait for their answers. */
export const CHANGES_LIMIT = 1_000;
/** How long an answer may take before a change is asked for again, in milliseconds. */
const ANSWER_MS = 10_000;
const CHECK_MS = 1_000;
const RETRY = { baseMs: 500, maxMs: 10_000 };

/**
 * Edits and deletions on their way: each is asked for with the same id until the server has answered
 * it; those of one message one after the other. What has no answer when the client ends is kept, as
 * far as there is a store, and asked for again by the next one: the same id is carried out once.
 */
export class Changes {
  /** By message; only the first of each is on the wire. */
  private readonly lanes = new Map<string, Asked[]>();
  private readonly byId = new Map<string, Asked>();
  /** Everything without an answer, on the wire or still waiting for its message to be sent. */
  private readonly wanted = new Map<string, ChangeRecord>();
  private online = false;
  private timer: Cancel | null = null;

  constructor(private readonly deps: ChangesDeps) {}

  /** How many changes have no answer yet. */
  get size(): number {
    return this.wanted.size;
  }

  /** What an earlier run left, in the order of asking; to be asked for again. */
  async open(): Promise<ChangeRecord[]> {
    const left = (await this.deps.store?.load()) ?? [];
    for (const record of left) this.wanted.set(record.changeId, record);
    return left;
  }

  /**
   * Notes a change that will be asked for; again when more of it is known.
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
   * Asks for a change; settles with the message as it is afterwards.
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

  /** Connected: what has no answer yet is asked for again. */
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

  /** Takes an error that answers a change; false: it is about something else. */
  refused(error: ErrorFrame): boolean {
    const asked = error.ref === undefined ? undefined : this.byId.get(error.ref);
    if (!asked) return false;
    if (error.retryable) {
      const pause = fullJitter(asked.tries++, RETRY, this.deps.random);
      asked.dueAt = this.deps.clock.now() + Math.max(error.retryAfterMs ?? 0, pause);
      return true;
    }
    // A later version of the server may have codes that are not known here.
    const code = isErrorCode(error.code) ? error.code : 'invalid_request';
    this.settle(asked.changeId)?.reject(new TidingsError(code, { detail: error.detail }));
    return true;
  }

  /** Ends everything that waits; whether it was done is not known. */
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
