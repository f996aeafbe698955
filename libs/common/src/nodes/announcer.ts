import type { Directory, GatewayEntry, NodeEntry, NodeState } from '../redis/directory';
import type { Logger } from '../runtime/logger';
import type { Metrics } from '../runtime/metrics';

const ANNOUNCE_MS = 1_000;
/**
 * After this many announcements in a row without an answer the others will soon take this node for
 * gone.
 */
const MAX_UNANSWERED = 3;
/** A clock that differs from Redis' by more than this is reported, in milliseconds. */
const MAX_SKEW_MS = 1_000;

/** What a node announces about itself, without what its announcer adds. */
type Facts<E> = Omit<E, 'at' | 'state' | 'url'>;

export interface AnnouncerOptions<E extends GatewayEntry | NodeEntry> {
  directory: Pick<Directory<E>, 'announce' | 'remove'>;
  nodeId: string;
  /** The entry as of now. */
  facts: () => Facts<E>;
  /** Whether this node is useful at the moment. */
  isReady: () => boolean;
  logger: Pick<Logger, 'warn' | 'info'>;
  metrics: Pick<Metrics, 'gauge'>;
}

/** Keeps this node in its list: one entry per second, until it is withdrawn. */
export class Announcer<E extends GatewayEntry | NodeEntry> {
  private timer: NodeJS.Timeout | null = null;
  private draining = false;
  private withdrawn = false;
  private url = '';
  /** Announcements since the last one that Redis accepted. */
  private unanswered = 0;
  private underWay: Promise<void> | null = null;
  private skewMs = 0;
  private skewed = false;

  constructor(private readonly options: AnnouncerOptions<E>) {
    options.metrics.gauge('clock_skew_seconds', "How far this node's clock is ahead of Redis'", {
      collect: () => this.skewMs / 1000,
    });
  }

  /** Announces this address at once and from then on; without Redis it keeps trying. */
  async start(url: string): Promise<void> {
    this.url = url;
    this.timer = setInterval(() => void this.announce(), ANNOUNCE_MS).unref();
    await this.announce();
  }

  /** Why the others may not know that this node is alive; null: they do. */
  problem(): string | null {
    return this.unanswered >= MAX_UNANSWERED ? 'announcements are not answered' : null;
  }

  /**
   * From now on the entry says that this node is stopping. Resolves when the first such entry is
   * written.
   */
  async drain(): Promise<void> {
    this.draining = true;
    await this.underWay;
    if (this.timer) await this.announce();
  }

  /** Removes the node from the list. Never rejects: an old entry does not count. */
  async withdraw(): Promise<void> {
    this.withdrawn = true;
    if (!this.timer) return;
    clearInterval(this.timer);
    await this.underWay;
    await this.options.directory.remove(this.options.nodeId).catch(() => undefined);
  }

  private get state(): NodeState {
    if (this.draining) return 'draining';
    return this.options.isReady() ? 'ready' : 'joining';
  }

  private async announce(): Promise<void> {
    if (this.withdrawn) return;
    this.unanswered += 1;
    // one at a time: a slow one would write what is no longer true
    if (this.underWay) return;
    this.underWay = this.write().finally(() => (this.underWay = null));
    await this.underWay;
  }

  private async write(): Promise<void> {
    const { directory, facts } = this.options;
    try {
      const { url, state } = this;
      const entry = { ...facts(), url, state } as Omit<E, 'at'>;
      const { skewMs } = await directory.announce(entry);
      this.unanswered = 0;
      this.judge(skewMs);
    } catch {
      // counted, and reported by problem()
    }
  }

  private judge(skewMs: number): void {
    this.skewMs = skewMs;
    const skewed = Math.abs(skewMs) > MAX_SKEW_MS;
    if (skewed === this.skewed) return;
    this.skewed = skewed;
    const { logger } = this.options;
    if (skewed) logger.warn({ skewMs }, "this node's clock is not that of Redis");
    else logger.info({ skewMs }, "this node's clock is that of Redis again");
  }
}
