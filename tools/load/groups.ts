import { randomBytes } from 'node:crypto';
import type { Conversation } from '@tidings/protocol/http';
import { callApi, inParallel, patiently } from './api';
import type { ConversationPlan, DevicePlan } from './generator/protocol';
import type { Target } from './target';

const HTTP_CONCURRENCY = 4;

/**
 * Makes groups of `groupSize` users each, new ones every time, through the public interface: one
 * call per group. The devices of a plan are the first `online` of each group, counted over all
 * groups.
 */
export async function makeGroups(
  target: Pick<Target, 'gateways'>,
  users: readonly DevicePlan[],
  { groupSize, online }: { groupSize: number; online: number },
): Promise<ConversationPlan[]> {
  const groups: ConversationPlan[] = [];
  const run = randomBytes(8).toString('hex');
  await inParallel(users.length / groupSize, HTTP_CONCURRENCY, async (group) => {
    const [founder, ...others] = users.slice(group * groupSize, (group + 1) * groupSize);
    const body = {
      kind: 'group',
      requestId: `load-${run}-${group}`,
      title: `load ${group}`,
      userIds: others.map(({ userId }) => userId),
    };
    const call = {
      method: 'POST',
      path: '/v1/conversations',
      token: founder!.token,
      body,
    } as const;
    const conversation = (await patiently((attempt) =>
      callApi({ ...call, base: target.gateways[(group + attempt) % target.gateways.length]! }),
    )) as Conversation;
    const devices = Array.from({ length: online }, (_, member) => group * online + member);
    groups[group] = { conversationId: conversation.id, devices };
  });
  return groups;
}
