import type { KafkaClient } from './client';
import { destroyCluster, openCluster } from './kafkajs-internals';

/** Where the member id of this node's consumer outlives its process. */
export interface MemberStore {
  load(): Promise<{ groupId: string; memberId: string } | null>;
  save(memberId: string): Promise<void>;
}

const TIMEOUT_MS = 3_000;

/**
 * Sends LeaveGroup for the member that the previous process of this node was, so that its partitions
 * are free at once and not after its session timeout. Returns whether the group let it go; a member
 * that is long gone, or brokers that do not answer within 3 s, are no failure.
 */
export async function leavePredecessor(
  kafka: KafkaClient,
  groupId: string,
  store: MemberStore,
): Promise<boolean> {
  const cluster = openCluster(kafka.instance({ requestTimeout: TIMEOUT_MS, retries: 1 }));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), TIMEOUT_MS);
  });
  const leave = async () => {
    const previous = await store.load();
    if (!previous || previous.groupId !== groupId) return false;
    await cluster.connect();
    await cluster.refreshMetadata();
    const coordinator = await cluster.findGroupCoordinator({ groupId });
    await coordinator.leaveGroup({ groupId, memberId: previous.memberId });
    return true;
  };
  try {
    return await Promise.race([leave(), late]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    destroyCluster(cluster);
  }
}
