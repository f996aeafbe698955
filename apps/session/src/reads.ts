import { GROUPS, TOPICS } from '@tidings/common/log-events/topics';

/** The groups that session joins, and what it reads. */
export const READS = {
  service: 'session' as const,
  groups: [
    GROUPS.sessionRouting,
    GROUPS.sessionReceipts,
    GROUPS.sessionSignals,
    GROUPS.sessionPresence,
  ],
  topics: [TOPICS.messages, TOPICS.receipts, TOPICS.signals, TOPICS.presenceChanges],
};
