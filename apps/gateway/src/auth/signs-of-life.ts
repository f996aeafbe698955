import type { Logger } from '@tidings/common/runtime/logger';
import type { Connection } from '../socket/connection';
import type { StorageClient } from '../service-clients';
import type { Principal } from './principal';

/** How often storage is told; well below the time for which a login counts as in use. Milliseconds. */
const EVERY_MS = 20_000;
/** After a failure: a database that comes back shall soon know who was there meanwhile. */
const RETRY_MS = 1_000;
/** Devices of one call. */
const BATCH = 1_000;
/** Devices that are noted for their calls alone; more wait for their next call. */
const MAX_DEVICES = 50_000;
const TIMEOUT_MS = 5_000;

export interface SignsOfLifeParts {
  connections: () => Iterable<Connection>;
  storage: Pick<StorageClient, 'call'>;
  logger: Pick<Logger, 'debug'>;
  /** Monotonic milliseconds. */
  clock: () => number;
}

interface Sign {
  userId: string;
  at: number;
}

/**
 * Tells storage, in batches, which devices gave a sign of life: a frame, a pong, or a call. Only the
 * login policy `single-reject` needs it.
 */
export class SignsOfLife {
  private readonly calls = new Map<string, Sign>();
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  /** Signs up to then are kept. */
  private toldAt = -Infinity;

  constructor(private readonly parts: SignsOfLifeParts) {}

  start(): void {
    this.later(EVERY_MS);
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** A device has made a call. */
  used({ userId, deviceId }: Pick<Principal, 'userId' | 'deviceId'>): void {
    if (this.calls.size >= MAX_DEVICES && !this.calls.has(deviceId)) return;
    this.calls.set(deviceId, { userId, at: this.parts.clock() });
  }

  /** Tells what came since the last time; public for tests. Rejects when storage does not take it. */
  async tell(): Promise<void> {
    const { clock, storage } = this.parts;
    const now = clock();
    const signs = this.collect();
    const items = [...signs].map(([deviceId, { userId, at }]) => ({
      userId,
      deviceId,
      agoMs: Math.max(0, Math.round(now - at)),
    }));
    for (let i = 0; i < items.length; i += BATCH) {
      const input = { items: items.slice(i, i + BATCH) };
      await storage.call('accounts.alive', input, { timeoutMs: TIMEOUT_MS });
    }
    this.toldAt = now;
    for (const [deviceId, { at }] of this.calls) if (at <= now) this.calls.delete(deviceId);
  }

  private collect(): Map<string, Sign> {
    const signs = new Map(this.calls);
    for (const { userId, deviceId, lastSeenAt, ended } of this.parts.connections()) {
      if (ended || lastSeenAt <= this.toldAt) continue;
      if ((signs.get(deviceId)?.at ?? -Infinity) < lastSeenAt) {
        signs.set(deviceId, { userId, at: lastSeenAt });
      }
    }
    return signs;
  }

  private later(ms: number): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.tell().then(
        () => this.later(EVERY_MS),
        (error: unknown) => {
          this.parts.logger.debug({ err: error }, 'signs of life are not kept yet');
          this.later(RETRY_MS);
        },
      );
    }, ms);
    this.timer.unref();
  }
}
