import { GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import type { LogConsumerStrategy } from '@tidings/common/kafka/consumer/log-consumer';
import { InboxWriter } from '@tidings/common/redis/inbox';
import { Watchers } from '@tidings/common/redis/watchers';
import { FETCHING, type SessionParts } from '../session.parts';
import { PresenceRouter } from './presence-router';
import { PresencePushMetrics } from './presence.metrics';

/** The consumer that hands changes of presence to the gateways of their watchers. */
export function presenceConsumer({ service, options }: SessionParts): LogConsumerStrategy {
  const { logger, metrics } = options;
  const { redis } = service;
  const router = new PresenceRouter({
    watchers: new Watchers(redis),
    inboxes: new InboxWriter(redis),
    metrics: new PresencePushMetrics(metrics),
    logger,
    now: Date.now,
  });
  return service.consumer({
    ...FETCHING,
    groupId: GROUPS.sessionPresence,
    handlers: { [TOPICS.presenceChanges]: { handle: (batch) => router.handle(batch) } },
    // what is missing is made up for by the gateways, which look again
    onGap: 'skip',
    says: { gap: 'changes of presence are missing from the log', trouble: 'presence is put off' },
  });
}
