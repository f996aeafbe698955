import type { Random } from '../random';
import { encodeClientFrame } from './frame-codec';
import { Latency, type LatencyCounts } from './latency';
import type { ConversationPlan, ReceiptsResult } from './protocol';

/** What a device has read, and when. */
interface Read {
  position: number;
  atMs: number;
  inRun: boolean;
}

/** A device as a reader. */
interface Reader {
  conversation: number;
  slot: number;
  conversationId: string;
  /** highest position that came from others */
  highest: number;
  /** when it reads next; null: it has read everything */
  dueMs: number | null;
  reads: Read[];
}

/** How the readers act; times are monotonic milliseconds. */
export interface ReadingOptions {
  conversations: readonly ConversationPlan[];
  /** users of the devices, by index */
  userIds: readonly string[];
  /** a message is read within this time, at a random moment */
  withinMs: number;
  random: Random;
  send: (device: number, frame: Buffer) => void;
}

/**
 * Every member reads everything: a device that got something new marks all of it as read within a
 * bounded time. Notes how long it takes until the other devices are told, and that nobody is told
 * what nobody read.
 */
export class Reading {
  private readonly readers: Reader[] = [];
  private readonly deviceOf = new Map<string, number>();
  /** per conversation, observing slot and reading slot: the highest mark told */
  private readonly told: Float64Array;
  private readonly slots: number;
  private readonly latency = new Latency();
  private counted = 0;
  private invented = 0;
  private running = false;

  constructor(private readonly options: ReadingOptions) {
    const { conversations, userIds } = options;
    this.slots = conversations[0]?.devices.length ?? 0;
    this.told = new Float64Array(conversations.length * this.slots * this.slots);
    conversations.forEach(({ conversationId, devices }, conversation) =>
      devices.forEach((device, slot) => {
        const nothing = { highest: 0, dueMs: null, reads: [] };
        this.readers[device] = { conversation, slot, conversationId, ...nothing };
        this.deviceOf.set(userIds[device]!, device);
      }),
    );
  }

  /** The run phase begins: from here on reads count. */
  startRun(): void {
    this.running = true;
  }

  /** The run phase is over. */
  endRun(): void {
    this.running = false;
  }

  /** A message of somebody else came. */
  onMessage(device: number, position: number, nowMs: number): void {
    const reader = this.readers[device]!;
    if (position <= reader.highest) return;
    reader.highest = position;
    reader.dueMs ??= nowMs + this.options.random() * this.options.withinMs;
  }

  /** Reads what is due. */
  tick(nowMs: number): void {
    for (let device = 0; device < this.readers.length; device++) {
      const reader = this.readers[device];
      if (!reader || reader.dueMs === null || reader.dueMs > nowMs) continue;
      const { conversationId, highest: position, dueMs } = reader;
      reader.dueMs = null;
      // from the moment it was due: a late generator makes no latency shorter
      reader.reads.push({ position, atMs: dueMs, inRun: this.running });
      if (this.running) this.counted++;
      const frame = { type: 'read', conversationId, position: String(position) };
      this.options.send(device, encodeClientFrame(Buffer.from(JSON.stringify(frame))));
    }
  }

  /** A `receipt` frame came to a device. */
  onReceipt(
    observer: number,
    { conversationId, userId, read }: { conversationId: string; userId: string; read: number },
    nowMs: number,
  ): void {
    const device = this.deviceOf.get(userId);
    const reader = device === undefined ? undefined : this.readers[device];
    if (reader?.conversationId !== conversationId) return;
    if (this.readers[observer]?.conversation !== reader.conversation) {
      this.invented++;
      return;
    }
    const at = this.at(observer, reader);
    const before = this.told[at]!;
    if (read <= before) return;
    this.told[at] = read;
    if (read > (reader.reads.at(-1)?.position ?? 0)) this.invented++;
    for (let i = reader.reads.length - 1; i >= 0; i--) {
      const { position, atMs, inRun } = reader.reads[i]!;
      if (position <= before) break;
      if (position <= read && inRun) this.latency.record(nowMs - atMs);
    }
  }

  /** Whether everything is read and everybody was told. */
  done(): boolean {
    return this.readers.every((reader) => reader.dueMs === null) && this.unseen() === 0;
  }

  /** What was seen so far. */
  result(): ReceiptsResult<LatencyCounts> {
    const { counted: reads, invented } = this;
    return { reads, seen: this.latency.counts(), unseen: this.unseen(), invented };
  }

  private at(observer: number, reader: Reader): number {
    const row = reader.conversation * this.slots + this.readers[observer]!.slot;
    return row * this.slots + reader.slot;
  }

  private unseen(): number {
    let count = 0;
    for (const { devices } of this.options.conversations) {
      for (const device of devices) {
        const reader = this.readers[device]!;
        const last = reader.reads.at(-1)?.position ?? 0;
        for (const observer of devices) {
          if (observer !== device && this.told[this.at(observer, reader)]! < last) count++;
        }
      }
    }
    return count;
  }
}
