import { BatchSender, type LaneOptions, type SenderHooks } from './batch-sender';
import type { PartitionQueue } from './partition-queue';
import { pause } from '../../runtime/waiting';

/**
 * The lane of healthy partitions: one request per node at a time, with the next batches of all its
 * partitions that have waiting records.
 */
export class MainLane {
  private readonly sender: BatchSender;
  private readonly busy = new Set<number>();
  private woken = false;
  private closed = false;
  /** Where the next round starts, so that a full request omits others each time. */
  private turn = 0;

  constructor(
    private readonly options: LaneOptions,
    private readonly hooks: SenderHooks,
  ) {
    this.sender = new BatchSender(options, hooks);
  }

  /** Connects, retrying until the clock shows `deadline`. Checks the partition count. */
  async start(deadline: number): Promise<void> {
    const { connections } = this.sender;
    for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 1_000)) {
      try {
        await connections.open();
        break;
      } catch (error) {
        if (this.closed || this.options.clock() + waitMs > deadline) throw error;
        await pause(waitMs);
      }
    }
    const wanted = this.options.queues.length;
    if (connections.partitions !== wanted) {
      this.close();
      throw new Error(
        `topic ${this.options.topic} has ${connections.partitions} partitions, ${wanted} are configured`,
      );
    }
  }

  /**
   * Sends what is waiting at the end of this event-loop turn, including what the turn still queues.
   */
  wake(): void {
    if (this.woken || this.closed) return;
    this.woken = true;
    setImmediate(() => {
      this.woken = false;
      this.pump();
    });
  }

  close(): void {
    this.closed = true;
    this.sender.connections.close();
  }

  private pump(): void {
    if (this.closed) return;
    for (const [nodeId, queues] of this.ready()) {
      this.busy.add(nodeId);
      void this.sender.send(nodeId, queues).finally(() => {
        this.busy.delete(nodeId);
        this.wake();
      });
    }
  }

  private ready(): Map<number, PartitionQueue[]> {
    const { queues } = this.options;
    const byNode = new Map<number, PartitionQueue[]>();
    const first = this.turn++ % queues.length;
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[(first + i) % queues.length]!;
      if (queue.aside || queue.out || queue.waiting === 0) continue;
      const nodeId = this.sender.connections.leaderOf(queue.partition);
      if (nodeId === null) {
        this.sender.defer(queue);
        this.hooks.settled(queue);
      } else if (!this.busy.has(nodeId)) {
        const group = byNode.get(nodeId);
        if (group) group.push(queue);
        else byNode.set(nodeId, [queue]);
      }
    }
    return byNode;
  }
}

/**
 * The lane of partitions whose last attempt failed, over connections of its own. One partition at a
 * time, alone in its request, the one with the fewest failures first, until it succeeds.
 */
export class AsideLane {
  private readonly sender: BatchSender;
  private running = false;
  private closed = false;
  private timer: NodeJS.Timeout | undefined;
  /** The clock at the start of the latest look-up of leaders. */
  private refreshedAt = -Infinity;

  constructor(
    private readonly options: LaneOptions,
    hooks: SenderHooks,
  ) {
    this.sender = new BatchSender(options, hooks);
  }

  /** Tries the partitions that are due. */
  wake(): void {
    if (this.running || this.closed) return;
    this.running = true;
    setImmediate(() => void this.run());
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.sender.connections.close();
  }

  private async run(): Promise<void> {
    clearTimeout(this.timer);
    for (;;) {
      const queue = this.closed ? null : this.next();
      if (!queue) break;
      await this.attempt(queue);
    }
    this.running = false;
    this.sleep();
  }

  private waiting(): PartitionQueue[] {
    return this.options.queues.filter((queue) => queue.aside && !queue.out && queue.waiting > 0);
  }

  private next(): PartitionQueue | null {
    const now = this.options.clock();
    const due = this.waiting().filter((queue) => queue.retryAt <= now);
    return due.reduce<PartitionQueue | null>(
      (best, queue) => (best && best.failures <= queue.failures ? best : queue),
      null,
    );
  }

  private sleep(): void {
    const waiting = this.waiting();
    if (this.closed || waiting.length === 0) return;
    const soonest = Math.min(...waiting.map((queue) => queue.retryAt));
    this.timer = setTimeout(() => this.wake(), Math.max(1, soonest - this.options.clock()));
  }

  private async attempt(queue: PartitionQueue): Promise<void> {
    const { connections } = this.sender;
    if (this.refreshedAt <= queue.failedAt) {
      const startedAt = this.options.clock();
      try {
        await connections.refresh();
        this.refreshedAt = startedAt;
      } catch {
        connections.reset();
        this.sender.defer(queue);
        return;
      }
    }
    const nodeId = connections.leaderOf(queue.partition);
    if (queue.out || queue.waiting === 0) return;
    if (nodeId === null) this.sender.defer(queue);
    else await this.sender.send(nodeId, [queue]);
  }
}
