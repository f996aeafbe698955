import { TidingsError } from '@tidings/protocol/errors';
import { LIMITS } from '@tidings/protocol/limits';
import type { StoredTrace, Trace, TraceQuery } from '@tidings/protocol/trace';
import type { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import type { RoutedMarks } from '@tidings/common/redis/routed-marks';
import { TOPICS } from '@tidings/common/log-events/topics';
import type { LogPositions } from '../send/log-positions';
import type { StorageClient } from '../service-clients';
import { isoTime } from '../socket/iso-time';
import type { ReadBarrier } from '../sync/read-barrier';
import { within } from '@tidings/common/runtime/waiting';

/** How long storage may take for an answer, in milliseconds, beside what it waits for the log. */
const LOOKUP_MS = 1_500;
/** How long storage may wait until it has applied the read barrier. */
const BARRIER_WAIT_MS = 2_000;
/** How long Kafka and Redis may take for their marks; then they count as not known. */
const MARK_MS = 1_500;
/** Records that are read from the log at the same time; of more the time is not known. */
export const MAX_READS = 16;

export interface TraceParts {
  storage: Pick<StorageClient, 'call'>;
  barrier: Pick<ReadBarrier, 'take'>;
  positions: Pick<LogPositions, 'offset'>;
  partitions: number;
  log: Pick<LogOffsets, 'recordTime' | 'close'>;
  routed: Pick<RoutedMarks, 'at'>;
}

/** Which message of whom. */
export interface TraceTarget {
  userId: string;
  conversationId: string;
  messageId: string;
}

/**
 * Tells a sender which way a message went, from the marks that everybody on the way left: storage,
 * the log itself, session. Everybody else, and whoever asks for a message that does not exist, gets
 * the same `not_found`.
 */
export class TraceService {
  private reading = 0;

  constructor(private readonly parts: TraceParts) {}

  /** Throws `not_found`, `no_such_conversation` (outsiders), `unavailable`, `invalid_request`. */
  async get(target: TraceTarget, query: TraceQuery): Promise<Trace> {
    const stored = await this.look(target, query);
    const partition = partitionOf(target.conversationId, this.parts.partitions);
    const [logged, routed] = await Promise.all([
      this.logged(partition, stored.position),
      // whoever routes passes over what cannot be read, too
      stored.setAside === null
        ? timeOrNull(this.parts.routed.at(partition, BigInt(stored.position)))
        : null,
    ]);
    const { conversationId, messageId } = target;
    return { conversationId, messageId, ...stored, logged, routed };
  }

  /** Ends the connection to Kafka. */
  close(): void {
    this.parts.log.close();
  }

  /** A message that storage does not know may have come into the log just now: once more. */
  private async look(target: TraceTarget, query: TraceQuery): Promise<StoredTrace> {
    const first = await this.ask(target, query);
    if (first.trace) return first.trace;
    const barrier = await this.parts.barrier.take();
    const next = barrier?.[partitionOf(target.conversationId, barrier.length)] ?? null;
    if (next === null) throw new TidingsError('unavailable');
    const second = await this.ask(target, query, next, BARRIER_WAIT_MS);
    if (second.trace) return second.trace;
    throw new TidingsError(second.applied ? 'not_found' : 'unavailable');
  }

  private ask(target: TraceTarget, query: TraceQuery, next?: string, waitMs = 0) {
    const input = { ...target, limit: LIMITS.pageItems, ...query, next, waitMs };
    return this.parts.storage.call('messages.trace', input, { timeoutMs: LOOKUP_MS + waitMs });
  }

  private async logged(partition: number, position: string): Promise<string | null> {
    const offset = this.parts.positions.offset(partition, position);
    if (offset === null || this.reading >= MAX_READS) return null;
    this.reading += 1;
    const time = this.parts.log.recordTime(TOPICS.messages, partition, offset, MARK_MS);
    return timeOrNull(time).finally(() => (this.reading -= 1));
  }
}

/** What cannot be told in time is not known. */
async function timeOrNull(time: Promise<number | null>): Promise<string | null> {
  const unixMs = await within(time, MARK_MS).catch(() => null);
  return unixMs === null ? null : isoTime(unixMs);
}
