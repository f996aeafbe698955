import type { KafkaClient } from '../wire/client';
import { LogOffsets } from './log-offsets';

/** The read barrier could not be taken in time. */
export class BarrierTimeoutError extends Error {
  constructor(topic: string, cause?: unknown) {
    super(`no read barrier of ${topic} in time`, { cause });
    this.name = 'BarrierTimeoutError';
  }
}

interface Waiter {
  since: number;
  resolve(offsets: (bigint | null)[]): void;
  reject(error: Error): void;
}

const TIMEOUT_MS = 1_000;

/**
 * The read barrier: the offset after the last record of every partition, as told by the leaders.
 * One request serves all callers that were waiting when it started; callers that come during a
 * request wait for the next one, so that no answer is older than its question.
 */
export class Watermarks {
  private readonly offsets: LogOffsets;
  private readonly timeoutMs: number;
  private waiting: Waiter[] = [];
  private calling = false;
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    kafka: KafkaClient,
    private readonly topic: string,
    private readonly options: {
      /** Longest wait of a caller, in milliseconds; default 1000. */
      timeoutMs?: number;
      /**
       * Called per request to Kafka: how many callers it served, how many milliseconds it took,
       * whether it answered.
       */
      onCall?(call: { served: number; ms: number; ok: boolean }): void;
    } = {},
  ) {
    this.timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.offsets = new LogOffsets(kafka, { requestTimeout: this.timeoutMs });
  }

  /** Connects in advance. Rejects when no broker answers. */
  async start(): Promise<void> {
    await this.offsets.open(this.topic);
  }

  /** Rejects all waiting callers and closes the connections. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.rejectAll(this.waiting, new Error('stopped'));
    this.waiting = [];
    this.offsets.close();
  }

  /**
   * Offset after the last record per partition, no older than this call; null for a partition whose
   * leader did not answer in time. Rejects with {@link BarrierTimeoutError} when none did.
   */
  barrier(): Promise<(bigint | null)[]> {
    return new Promise((resolve, reject) => {
      if (this.stopped) return reject(new BarrierTimeoutError(this.topic, new Error('stopped')));
      this.waiting.push({ since: performance.now(), resolve, reject });
      if (this.calling) this.arm();
      else {
        this.calling = true;
        setImmediate(() => void this.serve());
      }
    });
  }

  private async serve(): Promise<void> {
    while (this.waiting.length > 0) {
      const served = this.waiting;
      this.waiting = [];
      clearTimeout(this.timer);
      await this.call(served);
    }
    this.calling = false;
  }

  private async call(served: Waiter[]): Promise<void> {
    const startedAt = performance.now();
    const left = this.timeoutMs - (startedAt - served[0]!.since);
    let ok = true;
    try {
      const result = await this.offsets.highWatermarks(this.topic, left);
      for (const waiter of served) waiter.resolve(result);
    } catch (error) {
      ok = false;
      this.rejectAll(served, error);
    }
    this.options.onCall?.({ served: served.length, ms: performance.now() - startedAt, ok });
  }

  /** Callers that wait behind a hanging request are also released in time. */
  private arm(): void {
    if (this.waiting.length !== 1) return;
    this.timer = setTimeout(() => this.expire(), this.timeoutMs);
  }

  private expire(): void {
    const oldest = performance.now() - this.timeoutMs + 1;
    this.rejectAll(
      this.waiting.filter((waiter) => waiter.since <= oldest),
      new Error('another call hangs'),
    );
    this.waiting = this.waiting.filter((waiter) => waiter.since > oldest);
    const [next] = this.waiting;
    if (next) this.timer = setTimeout(() => this.expire(), next.since - oldest + 1);
  }

  private rejectAll(waiters: Waiter[], cause: unknown): void {
    for (const waiter of waiters) waiter.reject(new BarrierTimeoutError(this.topic, cause));
  }
}
