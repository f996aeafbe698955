import { GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import type { LogConsumerStrategy } from '@tidings/common/kafka/consumer/log-consumer';
import { MemberCache } from '@tidings/common/redis/members';
import { RoutedMarks } from '@tidings/common/redis/routed-marks';
import { WindowCopies } from '@tidings/common/redis/window-copies';
import { FETCHING, type SessionParts } from '../session.parts';
import { ConversationCopies } from './conversation-copies';
import { ConversationSource } from './conversation-source';
import { Router } from './router';
import { RoutingMetrics } from './routing.metrics';
import { RoutingTimes } from './routing-times';
import { WindowKeeper } from './window-keeper';
import { WindowOffsets } from './window-offsets';
import { pause } from '@tidings/common/runtime/waiting';

/** How long all else of a start waits for the partitions' windows, and how often it looks, milliseconds. */
const CAUGHT_UP_WITHIN_MS = 1_000;
const CAUGHT_UP_LOOK_MS = 10;

/** Reads the conversation log, and pushes what is in it. */
export class MessagesConsumer {
  private readonly strategy: LogConsumerStrategy;
  private readonly router: Router;
  private readonly times: RoutingTimes;
  private readonly keeper: WindowKeeper;
  private leaving = false;

  constructor(private readonly parts: SessionParts) {
    const { service, storage, log, deliveries, options } = parts;
    const { logger, metrics, timeline } = options;
    const { redis, defects } = service;
    const figures = new RoutingMetrics(metrics);
    this.times = new RoutingTimes(new RoutedMarks(redis), Date.now, (error) =>
      logger.debug({ err: error }, 'times of routing were not kept'),
    );
    this.keeper = new WindowKeeper(new WindowCopies(redis), log.epoch, (error) =>
      logger.debug({ err: error }, 'windows were not copied'),
    );
    this.strategy = service.consumer({
      ...FETCHING,
      groupId: GROUPS.sessionRouting,
      handlers: { [TOPICS.messages]: { handle: (batch) => this.router.handle(batch) } },
      onJoined: () => timeline?.done('joined'),
      onBatch: () => timeline?.done('first batch'),
      lifecycle: {
        assigned: (_topic, partition, context) => this.router.assigned(partition, context),
        revoked: (_topic, partition) => this.router.revoked(partition),
      },
    });
    const copies = new ConversationCopies(new MemberCache(redis));
    this.router = new Router(log, {
      conversations: new ConversationSource(storage, copies, {
        asked: (conversations) => figures.askedStorage(conversations),
        failed: () => figures.askFailed(),
      }),
      deliveries,
      deadLetters: { put: (record, reason) => this.strategy.deadLetter(record, reason) },
      windows: new WindowOffsets(this.strategy.offsets, Date.now),
      keeper: this.keeper,
      times: this.times,
      defects,
      metrics: figures,
      pushed: () => timeline?.done('first push'),
      logger,
    });
  }

  /** Joined, and its partitions are known. */
  isReady(): boolean {
    return this.strategy.isReady();
  }

  /** Joins the group, and waits for a moment until the windows of its partitions are filled. */
  async start(): Promise<void> {
    await this.strategy.start();
    await Promise.race([this.catchUp(), pause(CAUGHT_UP_WITHIN_MS)]);
  }

  /** However long it takes: a slow start, too, tells when it was over. */
  private async catchUp(): Promise<void> {
    while (!this.isReady() || !this.router.isCaughtUp()) {
      if (this.leaving) return;
      await pause(CAUGHT_UP_LOOK_MS);
    }
    this.parts.options.timeline?.done('caught up');
  }

  leave(): Promise<void> {
    this.leaving = true;
    return this.strategy.close();
  }

  /** Writes what it still keeps in memory; to be called behind {@link leave}. */
  async flush(): Promise<void> {
    await Promise.all([this.times.flush(), this.keeper.flush()]);
  }
}
