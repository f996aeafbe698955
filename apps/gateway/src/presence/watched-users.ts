import type { Watchers } from '@tidings/common/redis/watchers';
import type { Logger } from '@tidings/common/runtime/logger';
import { pause } from '@tidings/common/runtime/waiting';

/** Every user's registration is renewed once in this many steps, one step each second. */
const RENEW_STEPS = 20;
const STEP_MS = 1_000;
/** Users per round trip, and the pause between round trips when all are registered anew. */
const BATCH = 500;
const PACE_MS = 20;
const RETRY_MS = 300;

export interface WatchedUsersParts {
  gatewayId: string;
  bootId: () => string;
  watchers: Pick<Watchers, 'add' | 'remove'>;
  logger: Pick<Logger, 'debug'>;
}

/**
 * The users whom sockets of this gateway watch, registered in Redis: session hands their changes to the
 * gateways that stand there. Who is registered is known here; Redis only has a copy.
 */
export class WatchedUsers {
  /** Those who are wanted; true: registered under the present boot id. */
  private readonly users = new Map<string, boolean>();
  /** Nobody watches them any more, and Redis does not know yet. */
  private readonly gone = new Set<string>();
  private timer: NodeJS.Timeout | null = null;
  private round: string[] = [];
  private perStep = 0;
  private busy = false;

  constructor(private readonly parts: WatchedUsersParts) {}

  start(): void {
    this.timer = setInterval(() => void this.step(), STEP_MS).unref();
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
  }

  get size(): number {
    return this.users.size;
  }

  /** Somebody watches this user now. */
  add(userId: string): void {
    // still in Redis as long as it was not taken out
    const still = this.gone.delete(userId);
    if (!this.users.has(userId)) this.users.set(userId, still);
  }

  /** Nobody watches this user any more. */
  remove(userId: string): void {
    if (this.users.get(userId)) this.gone.add(userId);
    this.users.delete(userId);
  }

  /** Resolves when these are registered. Throws `RedisUnavailable`. */
  async registered(userIds: readonly string[]): Promise<void> {
    const missing = userIds.filter((userId) => this.users.get(userId) === false);
    if (missing.length > 0) await this.register(missing);
  }

  /** Registers all under the present boot id. Ends early when `stale` says that another one has come. */
  async announce(stale: () => boolean): Promise<void> {
    this.gone.clear();
    for (const userId of this.users.keys()) this.users.set(userId, false);
    const all = [...this.users.keys()];
    for (let i = 0; i < all.length && !stale();) {
      const part = all.slice(i, i + BATCH).filter((userId) => this.users.has(userId));
      try {
        await this.registered(part);
        i += BATCH;
        await pause(PACE_MS);
      } catch {
        await pause(RETRY_MS);
      }
    }
  }

  /** Renews the next part, and takes out whom nobody watches. Never rejects. */
  async step(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      await this.takeOut();
      const part = this.nextPart();
      for (let i = 0; i < part.length; i += BATCH) await this.register(part.slice(i, i + BATCH));
    } catch (error) {
      this.parts.logger.debug({ err: error }, 'watchers not renewed');
    } finally {
      this.busy = false;
    }
  }

  private async register(userIds: readonly string[]): Promise<void> {
    const { gatewayId, bootId, watchers } = this.parts;
    const boot = bootId();
    await watchers.add(userIds, { gatewayId, bootId: boot });
    if (boot !== bootId()) return;
    for (const userId of userIds) if (this.users.has(userId)) this.users.set(userId, true);
  }

  /** Who is wanted again meanwhile is written behind this, over the same connection. */
  private async takeOut(): Promise<void> {
    const { gatewayId, bootId, watchers } = this.parts;
    const userIds = [...this.gone].slice(0, BATCH);
    for (const userId of userIds) this.gone.delete(userId);
    if (userIds.length > 0) await watchers.remove(userIds, { gatewayId, bootId: bootId() });
  }

  private nextPart(): string[] {
    if (this.round.length === 0) {
      this.round = [...this.users.keys()];
      this.perStep = Math.ceil(this.round.length / RENEW_STEPS);
    }
    return this.round.splice(0, this.perStep).filter((userId) => this.users.has(userId));
  }
}
