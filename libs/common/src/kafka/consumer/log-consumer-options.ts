import type { LogGap } from './assignments';
import type { KafkaClient } from '../wire/client';
import type { MemberStore } from './leave-predecessor';
import type { LogHandler, PartitionLifecycle } from './log-handler';

/** Plain callbacks for metrics, logs and alarms. */
interface ConsumerHooks {
  /** A batch was handled, with whatever outcome: records, milliseconds, records behind it. */
  onBatch?(batch: {
    topic: string;
    partition: number;
    records: number;
    ms: number;
    lag: bigint;
  }): void;
  onRetry?(retry: { topic: string; partition: number; from: bigint; pauseMs: number }): void;
  /** Records are missing; an alarm when `action` is `stop`. */
  gapFound?(gap: LogGap): void;
  /** The group assigned partitions (perhaps none); their state is being loaded. */
  onJoined?(assigned: Record<string, number[]>): void;
  /** Something failed and will be retried. */
  onError?(error: unknown, what: string): void;
  /** The consumer cannot go on; the process should exit. */
  onFatal?(error: Error): void;
}

/** How a group consumes; times in milliseconds. */
export interface LogConsumerOptions extends ConsumerHooks {
  kafka: KafkaClient;
  groupId: string;
  /** Handlers by topic, besides those that Nest finds by `@BatchFrom(topic, groupId)`. */
  handlers?: Record<string, LogHandler>;
  /** Listeners for the partitions of all topics. */
  lifecycle?: PartitionLifecycle;
  /**
   * When records are missing (retention removed them, the log was recreated): `stop` stops the
   * partition for good (default), `skip` goes on at the start of the log.
   */
  onGap?: 'stop' | 'skip';
  /** How many partitions are handled at the same time; default 4. */
  partitionsConsumedConcurrently?: number;
  /** How long a fetch may wait for `minBytes`; defaults 200 and 1. */
  maxWaitTimeInMs?: number;
  minBytes?: number;
  /** The most bytes of one fetch, and of one partition in it; defaults 10 MiB and 1 MiB. */
  maxBytes?: number;
  maxBytesPerPartition?: number;
  /** Default 6000: how long a killed instance's partitions stay unread. */
  sessionTimeout?: number;
  /** Default 500: how soon this member learns of a rebalance. */
  heartbeatInterval?: number;
  /** Default 500: at most one commit per this time. */
  commitInterval?: number;
  /** Stores this node's member id, so that its next process can make it leave the group. */
  memberStore?: MemberStore;
  random?: () => number;
}
