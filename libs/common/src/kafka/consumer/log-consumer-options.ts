import type { LogGap } from './assignments';
import type { KafkaClient } from '../wire/client';
import type { MemberStore } from './leave-predecessor';
import type { LogHandler, PartitionLifecycle } from './log-handler';

/** Plain callbacks for metrics, logs and alarms. */
interface ConsumerHooks {
  /** A batch was handled (whatever its outcome): records, milliseconds, records behind it. */
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
  /** Something failed and is tried again. */
  onError?(error: unknown, what: string): void;
  /** The consumer cannot go on; the process should end. */
  onFatal?(error: Error): void;
}

/** How a group consumes; times in milliseconds. */
export interface LogConsumerOptions extends ConsumerHooks {
  kafka: KafkaClient;
  groupId: string;
  /** Handlers by topic, beside those that Nest finds by `@BatchFrom(topic, groupId)`. */
  handlers?: Record<string, LogHandler>;
  /** Told about the partitions of all topics. */
  lifecycle?: PartitionLifecycle;
  /**
   * When records are missing (retention passed them, the log was recreated): `stop` stops the
   * partition for good (default), `skip` goes on at the log's start.
   */
  onGap?: 'stop' | 'skip';
  /** Partitions handled at the same time; default 4. */
  partitionsConsumedConcurrently?: number;
  /** How long a fetch may wait for `minBytes`; defaults 200 and 1. */
  maxWaitTimeInMs?: number;
  minBytes?: number;
  /** Most bytes of one fetch and of one partition in it; defaults 10 MiB and 1 MiB. */
  maxBytes?: number;
  maxBytesPerPartition?: number;
  /** Default 6000: how long a killed instance's partitions are unread. */
  sessionTimeout?: number;
  /** Default 500: how soon this member hears of a rebalance. */
  heartbeatInterval?: number;
  /** Default 500: at most one commit per this time. */
  commitInterval?: number;
  /** Keeps this node's member id, so that its next process can let it go. */
  memberStore?: MemberStore;
  random?: () => number;
}
