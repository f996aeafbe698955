import type { ConversationRouting } from '@tidings/common/rpc/calls';
import type { HandleOutcome, LogBatch } from '@tidings/common/kafka/consumer/log-handler';
import type { MemberCache } from '@tidings/common/redis/members';
import type { Defects } from '@tidings/common/runtime/defects';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Notice } from '../domain/fan-out';
import { signalNotice, type Signal } from '../domain/signal-notice';
import type { Deliveries } from '../routing/deliveries';
import { readSignals, type SignalBatch } from './typing-reader';
import type { TypingPushMetrics } from './typing.metrics';
import { pause, within } from '@tidings/common/runtime/waiting';

/** Longest time for one batch, in milliseconds; then it is given up. */
const BATCH_MS = 1_000;
/** What comes within this time after a batch is fetched together, in milliseconds. */
const GATHER_MS = 25;

export interface TypingRouterParts {
  copies: Pick<MemberCache, 'get'>;
  deliveries: Pick<Deliveries, 'handOut'>;
  metrics: TypingPushMetrics;
  defects: Pick<Defects, 'note'>;
  logger: Logger;
  /** Unix milliseconds. */
  now: () => number;
}

/**
 * Pushes who is writing to the other members, as Redis' copy knows them; storage is never asked. What
 * cannot be pushed now is dropped and counted: nothing is tried again.
 */
export class TypingRouter {
  private troubled = false;

  constructor(
    private readonly parts: TypingRouterParts,
    private readonly gatherMs = GATHER_MS,
  ) {}

  /** Routes one batch. Never throws. */
  async handle(batch: LogBatch): Promise<HandleOutcome> {
    const { metrics, logger, now } = this.parts;
    const read = readSignals(batch.records, now());
    metrics.count('stale', read.stale);
    metrics.count('skipped', read.skipped);
    if (read.signals.length > 0) {
      try {
        await within(this.route(read, batch.records[0]!.timestamp), BATCH_MS);
        this.troubled = false;
      } catch (error) {
        metrics.count('failed', read.signals.length);
        if (!this.troubled) logger.warn({ err: error }, 'typing is not pushed');
        this.troubled = true;
      }
    }
    await pause(this.gatherMs);
    return { done: true };
  }

  private async route({ signals }: SignalBatch, oldestMs: number): Promise<void> {
    const { copies, deliveries, metrics, now } = this.parts;
    const known = await copies.get(signals.map(({ event }) => event.conversationId));
    const notices: Notice[] = [];
    signals.forEach((signal, i) => {
      const routing = known[i];
      const notice = routing ? this.noticeOf(signal, routing) : null;
      if (notice) notices.push(notice);
    });
    const { pushes } = await deliveries.handOut(notices);
    metrics.count('told', notices.length);
    metrics.count('untold', signals.length - notices.length);
    metrics.pushed(pushes, now() - oldestMs);
  }

  private noticeOf(signal: Signal, routing: ConversationRouting): Notice | null {
    try {
      return signalNotice(signal, routing);
    } catch (error) {
      const { conversationId } = signal.event;
      this.parts.defects.note('record', error, { conversationId });
      return null;
    }
  }
}
