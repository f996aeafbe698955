import type { LogOffsets } from '../kafka/offsets/log-offsets';
import { GROUP_TOPICS, type GroupId, type TopicSpec } from '../log-events/topics';
import type { Logger } from '../runtime/logger';
import type { Metrics } from '../runtime/metrics';
import { behind } from '../kafka/offsets/group-lag';
import { Rounds } from '../runtime/rounds';

/** How far one group is behind the log. */
export interface GroupBehind {
  records: number;
  /** Age of the oldest record that the group still needs. */
  seconds: number;
  /** That age as a part of the retention that {@link TopicSpec} gives the topic: at 1 the log begins to lose what the group needs. */
  retentionUsed: number;
  /** Records that were gone before the group had read them. */
  lost: number;
}

const EVERY_MS = 5_000;
const LOOK_WITHIN_MS = 3_000;
/** A group that is this far behind is told of, seconds; again when it is down to half of it. */
const FAR_SECONDS = 30;

export interface LagWatchParts {
  offsets: Pick<LogOffsets, 'logBounds' | 'fetchGroupOffsets' | 'recordTime'>;
  topics: readonly TopicSpec[];
  /** The service's own groups. */
  own: readonly GroupId[];
  /** Whether this instance tells of all groups, and of changes in its log. */
  leads: () => boolean;
  metrics: Metrics;
  logger: Logger;
  /** Unix milliseconds. */
  now: () => number;
  everyMs?: number;
}

/**
 * How far consumer groups are behind, from the log's ends and the group's offsets in Kafka: a consumer
 * tells of its own lag only while it consumes, this is told of a group without members, too. Each instance
 * tells of its service's groups, the leader of storage of all.
 * Offsets are committed a moment after records are applied, so a group that keeps up is some records behind.
 */
export class LagWatch {
  private readonly rounds: Rounds;
  private readonly retentions: ReadonlyMap<string, number>;
  private readonly records;
  private readonly seconds;
  private readonly retention;
  private readonly lost;
  /** What was found in the last round. */
  private readonly found = new Map<GroupId, GroupBehind>();
  private readonly far = new Set<GroupId>();
  private failing = false;

  constructor(private readonly parts: LagWatchParts) {
    const { metrics, topics, logger, everyMs = EVERY_MS } = parts;
    this.rounds = new Rounds(() => this.look(), { name: 'lag watch', everyMs, logger });
    this.retentions = new Map(topics.map((t) => [t.name, Number(t.config['retention.ms'])]));
    const labelNames = ['group'] as const;
    const gauge = (name: string, help: string) =>
      metrics.gauge(`group_${name}`, help, { labelNames });
    this.records = gauge('lag_records', 'Records that a group has not read');
    this.seconds = gauge('lag_seconds', 'Age of the oldest record that a group has not read');
    this.retention = gauge(
      'retention_used',
      'The same as a part of the retention of its topic: at 1 records are lost',
    );
    this.lost = gauge('lost_records', 'Records gone by retention before a group had read them');
  }

  start(): void {
    this.rounds.start();
  }

  stop(): Promise<void> {
    return this.rounds.stop();
  }

  /** By group. */
  get current(): ReadonlyMap<GroupId, GroupBehind> {
    return this.found;
  }

  /**
   * One round. A group that could not be looked at is left out until it can be again. Throws in the first of several
   * rounds that fail: while Kafka is away others say so, too.
   */
  async look(): Promise<void> {
    const groups = Object.keys(GROUP_TOPICS) as GroupId[];
    const outcomes = await Promise.allSettled(groups.map((group) => this.lookAt(group)));
    if (this.rounds.stopped) return;
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    const goesOn = this.failing;
    this.failing = failed !== undefined;
    if (failed && !goesOn) throw failed.reason;
  }

  private async lookAt(group: GroupId): Promise<void> {
    try {
      const lag = this.tells(group) ? await this.behind(group) : null;
      // the lead may have gone while Kafka was asked
      if (lag && this.tells(group)) this.tell(group, lag);
      else this.forget(group);
    } catch (error) {
      this.forget(group);
      throw error;
    }
  }

  private tells(group: GroupId): boolean {
    return this.parts.leads() || this.parts.own.includes(group);
  }

  private async behind(group: GroupId): Promise<GroupBehind> {
    const { offsets, now } = this.parts;
    const topic = GROUP_TOPICS[group];
    // The group's offsets first: records that come between the two are counted, and none is negative.
    const committed = await offsets.fetchGroupOffsets(group, topic, LOOK_WITHIN_MS);
    const bounds = await offsets.logBounds(topic, LOOK_WITHIN_MS);
    const { records, lost, cursors } = behind(bounds, committed);
    const times = await Promise.all(
      cursors.map((one) => offsets.recordTime(topic, one.partition, one.offset, LOOK_WITHIN_MS)),
    );
    // null: retention took it between the two questions
    const oldest = Math.min(...times.filter((time) => time !== null));
    const ageMs = Number.isFinite(oldest) ? Math.max(0, now() - oldest) : 0;
    const retentionMs = this.retentions.get(topic) ?? Infinity;
    return { records, lost, seconds: ageMs / 1000, retentionUsed: ageMs / retentionMs };
  }

  private tell(group: GroupId, lag: GroupBehind): void {
    this.found.set(group, lag);
    this.records.set({ group }, lag.records);
    this.seconds.set({ group }, lag.seconds);
    this.retention.set({ group }, lag.retentionUsed);
    this.lost.set({ group }, lag.lost);
    const { logger, leads } = this.parts;
    if (!leads()) {
      this.far.delete(group);
      return;
    }
    if (lag.seconds >= FAR_SECONDS && !this.far.has(group)) {
      this.far.add(group);
      logger.warn({ group, ...lag }, 'a consumer group is far behind the log');
    } else if (lag.seconds <= FAR_SECONDS / 2 && this.far.delete(group)) {
      logger.info({ group, ...lag }, 'a consumer group has caught up with the log');
    }
  }

  private forget(group: GroupId): void {
    this.far.delete(group);
    if (!this.found.delete(group)) return;
    for (const gauge of [this.records, this.seconds, this.retention, this.lost]) {
      gauge.remove({ group });
    }
  }
}
