import { type Admin, AssignerProtocol, type MemberDescription } from 'kafkajs';
import { withAdmin } from './admin';
import type { KafkaClient } from './client';

/** A consumer group as an operator sees it. */
export interface GroupView {
  group: string;
  /** Kafka's word: `Stable`, `Empty`, `PreparingRebalance`, … */
  state: string;
  /** consumers that have joined */
  members: number;
  /**
   * Records not yet committed, over all partitions of its topics; for a partition without a commit,
   * all its records. Null for a group that commits nothing.
   */
  lag: bigint | null;
  /** committed or assigned, by name */
  topics: string[];
}

/**
 * Names of all topics but Kafka's own, sorted.
 * @throws the error of kafkajs when no broker answers
 */
export function topicNames(kafka: KafkaClient): Promise<string[]> {
  return withAdmin(kafka, async (admin) =>
    (await admin.listTopics()).filter((name) => !name.startsWith('__')).sort(),
  );
}

/**
 * All consumer groups, by name.
 * @throws the error of kafkajs when no broker answers
 */
export function viewGroups(kafka: KafkaClient): Promise<GroupView[]> {
  return withAdmin(kafka, async (admin) => {
    const listed = (await admin.listGroups()).groups.map(({ groupId }) => groupId).sort();
    if (listed.length === 0) return [];
    const { groups } = await admin.describeGroups(listed);
    // the answers of several coordinators, in any order
    groups.sort((a, b) => (a.groupId < b.groupId ? -1 : 1));
    const ends = new Map<string, Promise<Ends>>();
    return Promise.all(
      groups.map(async ({ groupId, state, members }) => {
        const committed = await admin.fetchOffsets({ groupId });
        const lags = await Promise.all(
          committed.map(async ({ topic, partitions }) => {
            const known = ends.get(topic) ?? endsOf(admin, topic);
            ends.set(topic, known);
            return lagOf(partitions, await known);
          }),
        );
        return {
          group: groupId,
          state,
          members: members.length,
          lag: lags.length === 0 ? null : lags.reduce((sum, lag) => sum + lag, 0n),
          topics: [
            ...new Set([
              ...committed.map(({ topic }) => topic),
              ...members.flatMap(assignedTopics),
            ]),
          ].sort(),
        };
      }),
    );
  });
}

/** Empty while the group decides who reads what. */
function assignedTopics({ memberAssignment }: MemberDescription): string[] {
  if (memberAssignment.length === 0) return [];
  return Object.keys(AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment ?? {});
}

/** First and next offset per partition. */
type Ends = Map<number, { low: bigint; high: bigint }>;

async function endsOf(admin: Admin, topic: string): Promise<Ends> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return new Map(
    offsets.map(({ partition, low, high }) => [
      partition,
      { low: BigInt(low), high: BigInt(high) },
    ]),
  );
}

function lagOf(committed: readonly { partition: number; offset: string }[], ends: Ends): bigint {
  const offsets = new Map(committed.map(({ partition, offset }) => [partition, BigInt(offset)]));
  let lag = 0n;
  for (const [partition, { low, high }] of ends) {
    const offset = offsets.get(partition) ?? -1n;
    const from = offset < low ? low : offset;
    if (high > from) lag += high - from;
  }
  return lag;
}
