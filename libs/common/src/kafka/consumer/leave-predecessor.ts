import type { KafkaClient } from '../wire/client';
import { destroyCluster, openCluster, type KafkaCluster } from '../wire/kafkajs-internals';
import { pause } from '../../runtime/waiting';

/** Where the member id of this node's consumer outlives its process. */
export interface MemberStore {
  load(): Promise<{ groupId: string; memberId: string } | null>;
  save(memberId: string): Promise<void>;
}

const TIMEOUT_MS = 3_000;
/** Pause between attempts while the coordinator is still loading the group, in milliseconds. */
const PAUSE_MS = 100;
/** The group does not know the member (any more). */
const GONE = 'UNKNOWN_MEMBER_ID';

/** Like {@link leaveGroups}, for the member of this node's previous process. */
export async function leavePredecessor(
  kafka: KafkaClient,
  groupId: string,
  store: MemberStore,
): Promise<boolean> {
  const previous = await store.load().catch(() => null);
  if (previous?.groupId !== groupId) return false;
  return leaveGroup(kafka, groupId, previous.memberId);
}

/** Like {@link leaveGroups}, for one member. Whether the group has let it go. */
export async function leaveGroup(
  kafka: KafkaClient,
  groupId: string,
  memberId: string,
): Promise<boolean> {
  const [outcome] = await leaveGroups(kafka, [{ groupId, memberId }]);
  return outcome === 'left';
}

/** A member of a consumer group. */
export interface GroupMemberId {
  groupId: string;
  memberId: string;
}

/** `unknown`: the group does not know the member (any more). `failed`: no answer in time. */
export type LeaveOutcome = 'left' | 'unknown' | 'failed';

/**
 * Sends LeaveGroup for members whose consumers are gone. Their partitions are then free at once;
 * otherwise the coordinator would make a rebalance wait until their session timeout. Takes at most
 * 3 s and never rejects. Harmless for a live consumer: it joins again.
 */
export async function leaveGroups(
  kafka: KafkaClient,
  members: readonly GroupMemberId[],
): Promise<LeaveOutcome[]> {
  const outcomes = members.map((): LeaveOutcome => 'failed');
  if (members.length === 0) return outcomes;
  const deadline = performance.now() + TIMEOUT_MS;
  const cluster = openCluster(kafka.instance({ requestTimeout: TIMEOUT_MS, retries: 1 }));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, TIMEOUT_MS)));
  const leave = async (): Promise<void> => {
    await cluster.connect();
    await cluster.refreshMetadata();
    await Promise.all(
      members.map(async (member, i) => {
        outcomes[i] = await attempt(cluster, member, deadline);
      }),
    );
  };
  try {
    await Promise.race([leave().catch(() => undefined), late]);
    return [...outcomes];
  } finally {
    clearTimeout(timer);
    destroyCluster(cluster);
  }
}

async function attempt(
  cluster: KafkaCluster,
  member: GroupMemberId,
  deadline: number,
): Promise<LeaveOutcome> {
  for (;;) {
    try {
      const coordinator = await cluster.findGroupCoordinator(member);
      await coordinator.leaveGroup(member);
      return 'left';
    } catch (error) {
      const { type, retriable } = error as { type?: string; retriable?: boolean };
      if (type === GONE) return 'unknown';
      if (!retriable || performance.now() + PAUSE_MS > deadline) return 'failed';
    }
    await pause(PAUSE_MS);
  }
}
