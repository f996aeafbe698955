import { settled, redisRunId, type RedisClient } from './client';
import { KEYS, TTL } from './keys';
import { appendInbox } from './scripts/append-inbox.script';
import { createInbox } from './scripts/create-inbox.script';
import { trimInbox } from './scripts/trim-inbox.script';
import { fullJitter } from '../runtime/waiting';

/** One entry for one gateway's inbox. */
export interface InboxEntry {
  gatewayId: string;
  bootId: string;
  payload: Buffer | string;
}

/** `gone`: there is no such inbox. `full`: not stored, and the reader will see a gap. */
export type AppendResult = 'ok' | 'gone' | 'full';

/** The most entries in an inbox; beyond it the oldest are dropped, and the reader sees a gap. */
const MAX_ENTRIES = 20_000;

/** The most bytes of payload that wait in an inbox. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Appends to the gateways' inboxes. */
export class InboxWriter {
  private readonly most: { entries: number; bytes: number };

  constructor(
    private readonly client: RedisClient,
    options: { maxEntries?: number; maxBytes?: number } = {},
  ) {
    this.most = {
      entries: options.maxEntries ?? MAX_ENTRIES,
      bytes: options.maxBytes ?? MAX_BYTES,
    };
  }

  /**
   * Appends in order, in one round trip; results are aligned. Throws `RedisUnavailable`: then it is
   * unknown which entries are stored, and appending them again may duplicate them (clients merge).
   */
  async append(entries: readonly InboxEntry[]): Promise<AppendResult[]> {
    const calls = entries.map(({ gatewayId, bootId, payload }) => ({
      streamKey: KEYS.inbox(gatewayId, bootId),
      countersKey: KEYS.inboxCounters(gatewayId, bootId),
      payload,
    }));
    return appendInbox(this.client, calls, this.most);
  }
}

/** What the owner of an inbox does with what its reader finds. Only `onEntry` may throw. */
export interface InboxHandlers {
  /** One entry, number `n`. `payload` may be kept. If it throws, the entry is set aside. */
  onEntry(payload: Buffer, n: number): void;
  /** Entry number `n` could not be read, or `onEntry` threw. Reading goes on after it. */
  onSetAside(error: unknown, n: number): void;
  /**
   * Entries are missing from number `expected` on. `got`: the number that came instead; null when
   * it is unknown what is missing (Redis was restarted, or the inbox is gone). Reading goes on.
   */
  onHole(expected: number, got: number | null): void;
  /** Reading failed and is retried. Called once per outage. */
  onError(error: unknown): void;
}

export interface InboxOptions {
  gatewayId: string;
  bootId: string;
  /** Time to live of the inbox without `trim`, in milliseconds. */
  ttlMs?: number;
  /**
   * How long one read waits for entries, in milliseconds; shorter than the blocking client's limit.
   */
  blockMs?: number;
  /** The inbox that this one replaces. What is in there is handed on first, until it is closed. */
  behind?: Inbox;
}

const BLOCK_MS = 1_000;
const READ_COUNT = 256;
const RETRY = { baseMs: 50, maxMs: 500 };

type StreamEntry = [id: Buffer, fields: [upTo: Buffer, payload: Buffer]];

/**
 * A gateway's inbox: a Redis stream per gateway and boot id, to which session appends
 * (`InboxWriter`). Entries are numbered without gaps. The reader requires the next number and
 * reports any gap, also one at the end of the stream and one made by a restart of Redis. It reads
 * nothing twice, survives reconnects, and ends only with `close`.
 */
export class Inbox {
  private readonly keys: { streamKey: string; countersKey: string };
  private readonly ttlMs: number;
  private readonly blockMs: number;
  private closed = false;
  private wake: (() => void) | null = null;
  private reading: Promise<void> | null = null;
  private handlers: InboxHandlers | null = null;
  /** Null: there is none, or it is closed. */
  private behind: Inbox | null;
  /** Number of the last entry that was handed on, or is known to be missing. */
  private last = 0;
  /** Bytes up to that entry, as the stream counts them. */
  private bytes = '0';
  /** The counter as an idle reader saw it: above `last` if the entries in between never came. */
  private announced = 0;
  private left = 0;
  private creating = false;
  private gone = false;
  /** The connection was lost since the run id was last compared. */
  private reconnected = false;
  private runId: string | null = null;

  constructor(
    private readonly client: RedisClient,
    /** A connection of its own, made with `blocking: true`. */
    private readonly blocking: RedisClient,
    options: InboxOptions,
  ) {
    this.keys = {
      streamKey: KEYS.inbox(options.gatewayId, options.bootId),
      countersKey: KEYS.inboxCounters(options.gatewayId, options.bootId),
    };
    this.ttlMs = options.ttlMs ?? TTL.inbox * 1000;
    this.blockMs = options.blockMs ?? BLOCK_MS;
    this.behind = options.behind ?? null;
  }

  /** Creates the inbox, empty. Do this before a route names it. Throws `RedisUnavailable`. */
  async create(): Promise<void> {
    this.creating = true;
    try {
      const runId = await redisRunId(this.client);
      await createInbox(this.client, this.keys, this.ttlMs);
      this.runId = runId;
      this.last = 0;
      this.bytes = '0';
      this.announced = 0;
      this.gone = false;
    } finally {
      this.creating = false;
    }
  }

  /** Reads until `close`. Never rejects. Call it once, after `create`. */
  read(handlers: InboxHandlers): Promise<void> {
    this.handlers = handlers;
    this.reading ??= this.loop(handlers);
    return this.reading;
  }

  /**
   * Hands on everything that is in the inbox by now, over the connection that never blocks; the
   * reader's own may be broken. Does nothing before `read` and after `close`. Throws
   * `RedisUnavailable`.
   */
  async catchUp(): Promise<void> {
    const { handlers } = this;
    for (let more = handlers !== null && !this.closed; more;) {
      await this.behindFirst();
      const entries = await this.entriesOf(
        this.client.xreadBuffer('COUNT', READ_COUNT, 'STREAMS', ...this.from()),
      );
      if (this.closed) return;
      for (const entry of entries) this.handOn(entry, handlers!);
      more = entries.length === READ_COUNT;
    }
  }

  /**
   * Drops what was handed on and keeps the inbox alive; called once a second. False when the inbox
   * is gone (the reader reports that, too). Throws `RedisUnavailable`.
   */
  async trim(): Promise<boolean> {
    const handed = { firstKept: this.last + 1, bytes: this.bytes };
    const written = await trimInbox(this.client, this.keys, handed, this.ttlMs);
    this.left = Math.max(0, (written ?? 0) - this.last);
    return written !== null;
  }

  /** Entries that were waiting to be read when it was trimmed last. */
  get waiting(): number {
    return this.left;
  }

  /** Ends the reader within one block. The stream stays until it expires. */
  async close(): Promise<void> {
    this.closed = true;
    this.wake?.();
    await this.reading;
  }

  private async loop(handlers: InboxHandlers): Promise<void> {
    let failures = 0;
    const onClose = (): void => {
      this.reconnected = true;
    };
    this.blocking.on('close', onClose);
    while (!this.closed) {
      try {
        if (this.reconnected) await this.checkRunId(handlers);
        await this.step(handlers);
        failures = 0;
      } catch (error) {
        if (this.closed) break;
        if (failures === 0) handlers.onError(error);
        failures += 1;
        await this.pause(failures);
      }
    }
    this.blocking.off('close', onClose);
  }

  private async step(handlers: InboxHandlers): Promise<void> {
    const entries = await this.next();
    if (entries.length > 0) await this.behindFirst();
    if (this.closed) return;
    if (entries.length > 0) {
      for (const entry of entries) this.handOn(entry, handlers);
      this.gone = false;
    } else {
      await this.checkIdle(handlers);
    }
  }

  private next(): Promise<StreamEntry[]> {
    const block = ['COUNT', READ_COUNT, 'BLOCK', this.blockMs, 'STREAMS'] as const;
    return this.entriesOf(this.blocking.xreadBuffer(...block, ...this.from()));
  }

  private from(): [stream: string, after: string] {
    return [this.keys.streamKey, `${this.last}-0`];
  }

  private async entriesOf(reading: Promise<unknown>): Promise<StreamEntry[]> {
    const streams = (await settled(reading)) as [key: Buffer, entries: StreamEntry[]][] | null;
    return streams?.[0]?.[1] ?? [];
  }

  /**
   * A writer moves on to this inbox and never back. So once something is in here, everything it
   * wrote to the old one can be read there.
   */
  private async behindFirst(): Promise<void> {
    if (this.behind?.closed) this.behind = null;
    await this.behind?.catchUp();
  }

  private handOn([id, fields]: StreamEntry, handlers: InboxHandlers): void {
    const n = Number.parseInt(id.toString('latin1'), 10);
    const expected = this.last + 1;
    // the reader and `catchUp` may both have requested it
    if (n < expected) return;
    // before anything can throw: a faulty entry must not be read forever
    this.last = n;
    if (n !== expected) handlers.onHole(expected, n);
    try {
      const [upTo, payload] = fields;
      this.bytes = upTo.toString('latin1');
      handlers.onEntry(payload, n);
    } catch (error) {
      handlers.onSetAside(error, n);
    }
  }

  /**
   * Nothing came for one block. An entry below the counter of *the previous time* should have come
   * since. A missing or lower counter belongs to another inbox than the one that was read.
   */
  private async checkIdle(handlers: InboxHandlers): Promise<void> {
    const expected = this.last + 1;
    if (this.announced > this.last) {
      this.last = this.announced;
      handlers.onHole(expected, this.announced + 1);
      return;
    }
    const counter = await this.counter(this.client);
    // of the new inbox, not the one that was read
    if (this.creating) return;
    const lost = counter === null ? !this.gone : counter < this.last;
    this.adopt(counter);
    if (lost) handlers.onHole(expected, null);
  }

  /** After a lost connection: a restarted Redis may have lost entries that nobody has read. */
  private async checkRunId(handlers: InboxHandlers): Promise<void> {
    const runId = await redisRunId(this.blocking);
    if (runId !== this.runId) {
      const expected = this.last + 1;
      this.adopt(await this.counter(this.blocking));
      this.runId = runId;
      handlers.onHole(expected, null);
    }
    this.reconnected = false;
  }

  private async counter(client: RedisClient): Promise<number | null> {
    const counter = await settled(client.hget(this.keys.countersKey, 'n'));
    return counter === null ? null : Number(counter);
  }

  private adopt(counter: number | null): void {
    this.gone = counter === null;
    this.announced = counter ?? 0;
    if (counter !== null && counter < this.last) this.last = counter;
  }

  private async pause(failures: number): Promise<void> {
    const ms = fullJitter(RETRY, failures);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = null;
  }
}
