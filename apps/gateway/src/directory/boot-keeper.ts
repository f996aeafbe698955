import { randomBytes } from 'node:crypto';
import type { Boots } from '@tidings/common/redis/boots';
import { redisReady, type RedisClient } from '@tidings/common/redis/client';
import { Inbox } from '@tidings/common/redis/inbox';
import type { GatewayLease } from '@tidings/common/redis/lease';
import type { Logger } from '@tidings/common/runtime/logger';
import { pause } from '@tidings/common/runtime/waiting';

/** Life of a lease without renewal, and how often it is renewed, milliseconds. */
const LEASE_MS = 6_000;
const RENEW_MS = 1_000;
const TRIM_MS = 1_000;
const RETRY_MS = 300;
/** An old inbox is read this long after the last route that names it was replaced, milliseconds. */
const OLD_INBOX_MS = 2_000;

/** One boot of this gateway: the id in its routes, and the inbox that these lead to. */
interface Boot {
  id: string;
  inbox: Inbox;
  blocking: RedisClient;
}

export interface BootKeeperParts {
  gatewayId: string;
  redis: RedisClient;
  /** Makes a connection for one inbox reader. */
  blockingRedis: () => RedisClient;
  lease: GatewayLease;
  /** Names this boot, so that others end its routes when this process dies. */
  boots: Boots;
  logger: Logger;
  /** One inbox entry. */
  deliver: (payload: Buffer) => void;
  /** Delivering entry number `n` threw; the next ones follow. */
  setAside: (error: unknown, n: number) => void;
  /**
   * A new boot id is valid: writes all routes anew, with `stale` telling that yet another one has
   * come. Never rejects.
   */
  announceRoutes: (stale: () => boolean) => Promise<void>;
  /** This process must not go on under its gateway id. */
  fatal: (reason: string) => void;
}

/**
 * Keeps this gateway's lease and inbox. When the lease may be lost, Redis was away or started anew,
 * or the inbox has a hole, it takes a new boot id with a new inbox, has every route written anew,
 * and reads the old inbox meanwhile: what lies there goes to the sockets before what is in the new one.
 */
export class BootKeeper {
  private boot: Boot | null = null;
  private readonly ids = new Set<string>();
  private rebooting = false;
  private rebootWanted: string | null = null;
  private stopped = false;
  private timers: NodeJS.Timeout[] = [];
  private wasReady = false;
  private readonly onReady = (): void => {
    if (this.wasReady) this.reboot('redis was away');
    this.wasReady = true;
  };

  constructor(private readonly parts: BootKeeperParts) {}

  /** The boot id for new routes. */
  get bootId(): string {
    if (!this.boot) throw new Error('the gateway has no boot id yet');
    return this.boot.id;
  }

  /** The present boot id is in doubt: its inbox may be gone, and another one is being claimed. */
  get isRebooting(): boolean {
    return this.rebooting;
  }

  /** Entries of the inbox that waited to be read, as of the last second. */
  get inboxEntries(): number {
    return this.boot?.inbox.waiting ?? 0;
  }

  /** Whether a boot id is or was this process's. */
  isOwn(bootId: string): boolean {
    return this.ids.has(bootId);
  }

  /**
   * Takes the lease and opens the inbox. Waits while Redis is away, and for two lease times while
   * another process holds the gateway id; then it throws.
   */
  async start(): Promise<void> {
    this.boot = await this.claim(null);
    this.wasReady = this.parts.redis.status === 'ready';
    this.parts.redis.on('ready', this.onReady);
    this.timers = [
      setInterval(() => void this.renew(), RENEW_MS).unref(),
      setInterval(() => void this.trim(), TRIM_MS).unref(),
    ];
  }

  /** Gives the lease back and closes the inbox. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.parts.redis.off('ready', this.onReady);
    for (const timer of this.timers) clearInterval(timer);
    const boot = this.boot;
    if (!boot) return;
    await this.parts.lease.release(this.parts.gatewayId, boot.id).catch(() => undefined);
    await this.close(boot);
  }

  /** Asks for a new boot id; requests during a reboot make one more. */
  reboot(reason: string): void {
    this.rebootWanted = reason;
    if (this.rebooting || this.stopped || !this.boot) return;
    this.rebooting = true;
    void this.rebootWhileWanted();
  }

  private async rebootWhileWanted(): Promise<void> {
    while (this.rebootWanted !== null && !this.stopped) {
      this.parts.logger.warn({ reason: this.rebootWanted }, 'taking a new boot id');
      this.rebootWanted = null;
      try {
        await this.rebootOnce();
      } catch (error) {
        if (!this.stopped)
          this.parts.fatal(error instanceof Error ? error.message : 'reboot failed');
      }
    }
    this.rebooting = false;
  }

  private async rebootOnce(): Promise<void> {
    const old = this.boot;
    const boot = await this.claim(old?.id ?? null);
    this.boot = boot;
    // what was noticed until now was about what this boot replaces
    this.rebootWanted = null;
    await this.parts.announceRoutes(() => this.boot !== boot || this.rebootWanted !== null);
    if (old) setTimeout(() => void this.leave(old), OLD_INBOX_MS).unref();
  }

  private async claim(replaces: string | null): Promise<Boot> {
    const id = randomBytes(9).toString('base64url');
    const { gatewayId, logger } = this.parts;
    const giveUpAt = performance.now() + 2 * LEASE_MS;
    let waits = false;
    for (;;) {
      if (this.stopped) throw new Error('stopped');
      const holder = await this.tryClaim(id, replaces);
      if (holder === null) {
        this.ids.add(id);
        return this.open(id);
      }
      if (holder !== 'unavailable' && performance.now() > giveUpAt) {
        throw new Error(
          `The gateway id ${gatewayId} is in use by another process (boot ${holder}). ` +
            'Stop that process, or start this one with another NODE_ID.',
        );
      }
      if (!waits) logger.warn({ holder }, 'waiting for the lease of the gateway id');
      waits = true;
      await pause(RETRY_MS);
    }
  }

  /** Null: the lease is ours; else who has it, or `unavailable`. */
  private async tryClaim(id: string, replaces: string | null): Promise<string | null> {
    const options = replaces === null ? {} : { replaces };
    const { gatewayId, lease, boots } = this.parts;
    try {
      // its routes are written anew by this process: nobody else is to end them meanwhile
      if (replaces !== null) await boots.unregister({ gatewayId, bootId: replaces });
      const result = await lease.claim(gatewayId, id, LEASE_MS, options);
      if (!result.claimed) return result.holder ?? 'unavailable';
      await boots.register({ gatewayId, bootId: id });
      return null;
    } catch {
      return 'unavailable';
    }
  }

  private async open(id: string): Promise<Boot> {
    const { redis, gatewayId, logger, deliver, setAside } = this.parts;
    const blocking = this.parts.blockingRedis();
    const behind = this.boot?.inbox;
    const inbox = new Inbox(redis, blocking, { gatewayId, bootId: id, behind });
    const boot = { id, inbox, blocking };
    while (
      !(await inbox.create().then(
        () => true,
        () => false,
      ))
    ) {
      if (this.stopped) throw new Error('stopped');
      await pause(RETRY_MS);
    }
    // The reader comes to terms with a connection that is not there yet; it only logs more.
    await redisReady(blocking, RETRY_MS).catch(() => undefined);
    void inbox.read({
      onEntry: deliver,
      onSetAside: setAside,
      onHole: (expected, got) => {
        if (this.boot !== boot) return;
        logger.warn({ expected, got }, 'the inbox has a hole');
        this.reboot('hole in the inbox');
      },
      onError: (error) => logger.warn({ err: error }, 'the inbox cannot be read'),
    });
    return boot;
  }

  /** Ends a boot that another one of this process has replaced. */
  private async leave(old: Boot): Promise<void> {
    await this.close(old);
    const { gatewayId, boots } = this.parts;
    // without Redis it expires by itself
    await boots.end({ gatewayId, bootId: old.id }).catch(() => undefined);
  }

  private async close(boot: Boot): Promise<void> {
    await boot.inbox.close();
    boot.blocking.disconnect();
  }

  private async renew(): Promise<void> {
    const { boot } = this;
    const { gatewayId, lease, boots } = this.parts;
    if (!boot || this.rebooting) return;
    try {
      const outcome = await lease.renew(gatewayId, boot.id, LEASE_MS);
      if (this.boot !== boot || this.rebooting) return;
      if (outcome === 'lost') this.reboot('the lease is lost');
      else await boots.register({ gatewayId, bootId: boot.id });
    } catch {
      // Redis is away; its return makes a new boot id.
    }
  }

  private async trim(): Promise<void> {
    await this.boot?.inbox.trim().catch(() => undefined);
  }
}
