/** What one sender may have on its way into the log. */
export interface QueueShare {
  records: number;
  /** Bytes of their values. */
  bytes: number;
}

/**
 * Counts what each sender has on its way into the log, so that one account cannot take the whole queue
 * while the log is slow. Nothing is kept of who has nothing there.
 */
export class QueueShares {
  private readonly taken = new Map<string, QueueShare>();

  constructor(private readonly most: QueueShare) {}

  /** Takes room for one record; false: the sender has taken theirs. */
  take(senderId: string, bytes: number): boolean {
    const share = this.taken.get(senderId);
    if (!share) {
      if (bytes > this.most.bytes) return false;
      this.taken.set(senderId, { records: 1, bytes });
      return true;
    }
    if (share.records >= this.most.records || share.bytes + bytes > this.most.bytes) return false;
    share.records += 1;
    share.bytes += bytes;
    return true;
  }

  /** Gives the room of one record back. */
  give(senderId: string, bytes: number): void {
    const share = this.taken.get(senderId);
    if (!share) return;
    share.records -= 1;
    share.bytes -= bytes;
    if (share.records <= 0) this.taken.delete(senderId);
  }

  /** Senders that have something on its way. */
  get size(): number {
    return this.taken.size;
  }
}
