import { GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import type { LogConsumerStrategy } from '@tidings/common/kafka/consumer/log-consumer';
import { MemberCache } from '@tidings/common/redis/members';
import { FETCHING, type SessionParts } from '../session.parts';
import { TypingPushMetrics } from './typing.metrics';
import { TypingRouter } from './typing-router';

/** Nobody waits for a fetch: it comes with the first record. Milliseconds. */
const MAX_WAIT_MS = 500;

/** Pushes of who writes: lossy, so nothing here is waited for, retried or made up. */
export function typingConsumer(parts: SessionParts): LogConsumerStrategy {
  const { service, deliveries } = parts;
  const { metrics, logger } = parts.options;
  const figures = new TypingPushMetrics(metrics);
  const router = new TypingRouter({
    copies: new MemberCache(service.redis),
    deliveries,
    logger,
    metrics: figures,
    now: Date.now,
    defects: service.defects,
  });
  return service.consumer({
    ...FETCHING,
    groupId: GROUPS.sessionSignals,
    handlers: { [TOPICS.signals]: router },
    onGap: 'skip',
    gapFound: () => figures.gap(),
    maxWaitTimeInMs: MAX_WAIT_MS,
  });
}
