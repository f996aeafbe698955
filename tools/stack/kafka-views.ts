import { behind } from '@tidings/common/kafka/offsets/group-lag';
import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import type { KafkaClient } from '@tidings/common/kafka/wire/client';
import { viewGroups } from '@tidings/common/kafka/wire/cluster-view';
import {
  actualTopics,
  type TopicDifference,
  topicDifferences,
} from '@tidings/common/kafka/wire/topic-differences';
import { GROUP_TOPICS, type TopicSpec } from '@tidings/common/log-events/topics';
import { StackError } from './paths';
import { table } from './printable';

/** How far a group is behind in one partition. */
export interface PartitionLag {
  group: string;
  topic: string;
  partition: number;
  /** Next offset; null: none is committed. */
  committed: bigint | null;
  high: bigint;
  records: number;
  /** Age of the oldest record that is not read; null: there is none. */
  seconds: number | null;
  /** Gone by retention before they were read. */
  lost: number;
}

/** Every partition of every group of ours, from the log's ends and the group's offsets, whoever consumes. */
export async function partitionLags(
  kafka: KafkaClient,
  now: () => number,
): Promise<PartitionLag[]> {
  const offsets = new LogOffsets(kafka, { requestTimeout: 5_000 });
  try {
    const found: PartitionLag[] = [];
    for (const [group, topic] of Object.entries(GROUP_TOPICS)) {
      // the group's offsets first: none is negative
      const committed = await offsets.fetchGroupOffsets(group, topic);
      const bounds = await offsets.logBounds(topic);
      for (const [partition, bound] of bounds.entries()) {
        const next = committed[partition] ?? null;
        const { records, lost, cursors } = behind([bound], [next]);
        const [cursor] = cursors;
        const at = cursor ? await offsets.recordTime(topic, partition, cursor.offset) : null;
        const seconds = at === null ? null : Math.max(0, now() - at) / 1_000;
        const place = { group, topic, partition, committed: next, high: bound.high };
        found.push({ ...place, records, seconds, lost });
      }
    }
    return found;
  } finally {
    offsets.close();
  }
}

/** `0`, `12.3`, or `-` when nothing waits. */
function secondsText(all: readonly PartitionLag[]): string {
  const ages = all.flatMap(({ seconds }) => (seconds === null ? [] : [seconds]));
  return ages.length === 0 ? '-' : Math.max(...ages).toFixed(1);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

/** One line per group; of one group one per partition. @throws StackError when there is no such group */
export function lagLines(lags: readonly PartitionLag[], only?: string): string[] {
  if (only === undefined) {
    const groups = [...new Set(lags.map(({ group }) => group))];
    const rows = groups.map((group) => {
      const own = lags.filter((lag) => lag.group === group);
      const [records, lost] = [sum(own.map((l) => l.records)), sum(own.map((l) => l.lost))];
      return [group, own[0]!.topic, String(records), secondsText(own), String(lost)];
    });
    return table([['GROUP', 'TOPIC', 'RECORDS', 'SECONDS', 'LOST'], ...rows]);
  }
  const own = lags.filter(({ group }) => group === only);
  if (own.length === 0) {
    throw new StackError(`There is no group "${only}": ${Object.keys(GROUP_TOPICS).join(', ')}.`);
  }
  const rows = own.map((lag) => [
    `${lag.topic}/${lag.partition}`,
    lag.committed === null ? '-' : String(lag.committed),
    String(lag.high),
    String(lag.records),
    secondsText([lag]),
    String(lag.lost),
  ]);
  return table([['PARTITION', 'COMMITTED', 'END', 'RECORDS', 'SECONDS', 'LOST'], ...rows]);
}

/** One line per group: who consumes, and how far it is behind. */
export async function groupRows(kafka: KafkaClient, now: () => number): Promise<string[]> {
  const [groups, lags] = [await viewGroups(kafka), await partitionLags(kafka, now)];
  const rows = groups.map(({ group, state, members, lag, topics }) => [
    group,
    state,
    String(members),
    lag === null ? '-' : String(lag),
    lag === null ? '-' : secondsText(lags.filter((one) => one.group === group)),
    topics.join(',') || '-',
  ]);
  return table([['GROUP', 'STATE', 'MEMBERS', 'LAG', 'SECONDS', 'TOPICS'], ...rows]);
}

/** One line per topic of ours. */
export async function topicRows(
  kafka: KafkaClient,
  specs: readonly TopicSpec[],
): Promise<string[]> {
  const offsets = new LogOffsets(kafka, { requestTimeout: 5_000 });
  try {
    const actual = await actualTopics(kafka, specs);
    const rows: string[][] = [];
    for (const { name } of specs) {
      const topic = actual.get(name);
      if (!topic) continue;
      const bounds = await offsets.logBounds(name);
      const records = bounds.reduce((total, { low, high }) => total + high - low, 0n);
      const kept = Number(topic.config['retention.ms']);
      rows.push([
        name,
        String(topic.partitions),
        String(topic.replication),
        topic.config['min.insync.replicas'] ?? '-',
        String(records),
        Number.isFinite(kept) ? durationText(kept) : '-',
      ]);
    }
    const head = ['TOPIC', 'PARTITIONS', 'REPLICATION', 'MIN ISR', 'RECORDS', 'KEPT'];
    return table([head, ...rows]);
  } finally {
    offsets.close();
  }
}

/** `7 d`, `10 min`; for ever when it is negative, as Kafka means it. */
export function durationText(ms: number): string {
  if (ms < 0) return 'for ever';
  const units = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1_000, 's'],
  ] as const;
  const [size, unit] = units.find(([one]) => ms >= one && ms % one === 0) ?? [1, 'ms'];
  return `${ms / size} ${unit}`;
}

/** What `prepare` expects against what is; `ok`: nothing differs. */
export async function verifyTopics(
  kafka: KafkaClient,
  specs: readonly TopicSpec[],
): Promise<{ ok: boolean; lines: string[] }> {
  const found = await topicDifferences(kafka, specs);
  return { ok: found.length === 0, lines: verdictLines(found, specs) };
}

/** A line for each difference, or one that there is none. */
export function verdictLines(
  found: readonly TopicDifference[],
  specs: readonly TopicSpec[],
): string[] {
  if (found.length === 0) {
    return [`All ${specs.length} topics are as prepare would make them (${settingsText(specs)}).`];
  }
  const rows = found.map(({ topic, what, expected, found: is }) => [
    topic,
    what,
    expected,
    is ?? 'nothing',
  ]);
  const topics = new Set(found.map(({ topic }) => topic)).size;
  return [
    ...table([['TOPIC', 'WHAT', 'EXPECTED', 'FOUND'], ...rows]),
    `${topics} of ${specs.length} topics differ from what prepare would make (${settingsText(specs)}).`,
  ];
}

/** The settings behind it, which `prepare` reads from the same variables. */
function settingsText(specs: readonly TopicSpec[]): string {
  const partitions = Math.max(...specs.map((spec) => spec.partitions));
  const [{ replication, config }] = specs as [TopicSpec];
  const inSync = config['min.insync.replicas'];
  return `KAFKA_PARTITIONS=${partitions} KAFKA_REPLICATION=${replication} KAFKA_MIN_INSYNC=${inSync}`;
}
