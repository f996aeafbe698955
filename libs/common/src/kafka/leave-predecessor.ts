import type { KafkaClient } from './client';
import { destroyCluster, openCluster, type KafkaCluster } from './kafkajs-internals';

/** Where the member id of this node's consumer outlives its process. */
export interface MemberStore {
  load(): Promise<{ groupId: string; memberId: string } | null>;
  save(memberId: string): Promise<void>;
}

const TIMEOUT_MS = 3_000;
/** Between attempts while the coordinator is still loading the group, in ms. */
const PAUSE_MS = 100;
/** The group does not know the member (any more). */
const GONE = 'UNKNOWN_MEMBER_ID';

/** As {@link leaveGroup}, for the member that the previous process of this node was. */
export async function leavePredecessor(
  kafka: KafkaClient,
  groupId: string,
  store: MemberStore,
): Promise<boolean> {
  return leaving(kafka, groupId, async () => {
    const previous = await store.load();
    return previous?.groupId === groupId ? previous.memberId : null;
  });
}

/**
 * Sends LeaveGroup for a member whose consumer is gone, so that its partitions are free at once and
 * not after its session timeout: until then the coordinator makes a rebalance wait for it. Returns
 * whether the group has let it go; a member that is long gone, or brokers that do not answer within
 * 3 s, are no failure.
 */
export async function leaveGroup(
  kafka: KafkaClient,
  groupId: string,
  memberId: string,
): Promise<boolean> {
  return leaving(kafka, groupId, () => Promise.resolve(memberId));
}

async function leaving(
  kafka: KafkaClient,
  groupId: string,
  find: () => Promise<string | null>,
): Promise<boolean> {
  const deadline = performance.now() + TIMEOUT_MS;
  const cluster = openCluster(kafka.instance({ requestTimeout: TIMEOUT_MS, retries: 1 }));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), TIMEOUT_MS);
  });
  const leave = async () => {
    const memberId = await find();
    if (memberId === null) return false;
    await cluster.connect();
    await cluster.refreshMetadata();
    return attempt(cluster, { groupId, memberId }, deadline);
  };
  try {
    return await Promise.race([leave().catch(() => false), late]);
  } finally {
    clearTimeout(timer);
    destroyCluster(cluster);
  }
}

async function attempt(
  cluster: KafkaCluster,
  member: { groupId: string; memberId: string },
  deadline: number,
): Promise<boolean> {
  for (;;) {
    try {
      const coordinator = await cluster.findGroupCoordinator(member);
      await coordinator.leaveGroup(member);
      return true;
    } catch (error) {
      const { type, retriable } = error as { type?: string; retriable?: boolean };
      if (type === GONE || !retriable || performance.now() + PAUSE_MS > deadline) return false;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
