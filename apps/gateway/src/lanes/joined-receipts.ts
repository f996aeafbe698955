import type { ReceiptFrame } from '@tidings/protocol/frames';
import type { Connection } from '../socket/connection';
import { textFrame } from '../socket/text-frame';
import { joinReceipts } from './lossy-frame';

/** How long receipts wait for others to be joined with, milliseconds. */
export const JOINED_OVER_MS = 5_000;
/** Frames that may wait, over all sockets; with more all leave at once. */
const MAX_JOINED = 100_000;

export interface JoinedReceiptsParts {
  /** Writes an encoded frame to a socket. Must not throw. */
  write: (connection: Connection, bytes: Buffer) => void;
}

/**
 * Receipts on their way to sockets while their lane is shed: of each member of a conversation one frame
 * per socket, with the maximum of all. Nothing is lost: whatever has waited leaves, also when it is full.
 */
export class JoinedReceipts {
  private readonly waiting = new Map<Connection, Map<string, ReceiptFrame>>();
  private count = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly parts: JoinedReceiptsParts,
    private readonly most = MAX_JOINED,
  ) {}

  /** Frames that wait. */
  get size(): number {
    return this.count;
  }

  /** Takes a frame for these sockets; all of it leaves within {@link JOINED_OVER_MS}. */
  take(connections: readonly Connection[], receipt: ReceiptFrame): void {
    const key = `${receipt.conversationId} ${receipt.userId}`;
    // most sockets wait with the same frame: it is joined, and later encoded, once for all of them
    const made = new Map<ReceiptFrame, ReceiptFrame>();
    for (const connection of connections) {
      const frames = this.framesOf(connection);
      const earlier = frames.get(key);
      if (!earlier) {
        frames.set(key, receipt);
        this.count += 1;
        continue;
      }
      const joined = made.get(earlier) ?? joinReceipts(earlier, receipt);
      made.set(earlier, joined);
      frames.set(key, joined);
    }
    if (this.count >= this.most) this.flush();
    else if (this.count > 0) {
      this.timer ??= setTimeout(() => this.flush(), JOINED_OVER_MS).unref();
    }
  }

  /** Everything leaves now. Who has gone meanwhile is shown it by the next sync. */
  flush(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const encoded = new Map<ReceiptFrame, Buffer>();
    for (const [connection, frames] of this.waiting) {
      if (connection.ended) continue;
      for (const frame of frames.values()) {
        const bytes = encoded.get(frame) ?? textFrame(JSON.stringify(frame));
        encoded.set(frame, bytes);
        this.parts.write(connection, bytes);
      }
    }
    this.waiting.clear();
    this.count = 0;
  }

  private framesOf(connection: Connection): Map<string, ReceiptFrame> {
    const known = this.waiting.get(connection);
    if (known) return known;
    const frames = new Map<string, ReceiptFrame>();
    this.waiting.set(connection, frames);
    return frames;
  }
}
