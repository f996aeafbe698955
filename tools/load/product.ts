import type { ConnectionsAnswer, Conversation } from '@tidings/protocol/http';
import { TOPICS } from '@tidings/common/log-events/topics';
import type { KafkaClient } from '@tidings/common/kafka/wire/client';
import { asking } from '../stack/brokers';
import { partitionLags } from '../stack/kafka-views';
import { StackError } from '../stack/paths';
import { callApi, inParallel, patiently } from './api';
import { footprint } from './footprint';
import type { ConversationPlan, DevicePlan, Entrance } from './generator/protocol';
import { makeGroups } from './groups';
import { MAX_GATEWAYS } from './option-values';
import { type Pipeline, spreadGroups, spreadPairs } from './pipeline';
import { type SeededUser, seedUsers } from './seed-users';
import type { Target } from './target';
import { signAccessToken } from './tokens';

const TOKEN_LIFETIME_SECONDS = 6 * 3600;
const HTTP_CONCURRENCY = 16;

const PROGRESS_SQL = `SELECT partition::int AS partition, epoch_base AS base, next
  FROM log_progress WHERE topic = '${TOPICS.messages}'`;

const MESSAGES_SQL = `SELECT m.conversation_id, m.message_id, m.position
  FROM unnest($1::text[], $2::bigint[]) AS wanted (id, lowest)
  JOIN messages m ON m.conversation_id = wanted.id AND m.position >= wanted.lowest`;

/** Who is connected, and what they write to. */
export interface Population {
  /** users that are connected */
  users: number;
  /** `pairs`: of the users that come first; null: they have no conversations of the load */
  conversations: { pairs: number } | { groupSize: number; online: number } | null;
}

/** Users with tokens, their conversations and the way in, on a stack that runs. */
export async function openProduct(
  target: Target,
  { users: online, conversations }: Population,
  abort: AbortSignal,
): Promise<Pipeline> {
  const groups = conversations && 'groupSize' in conversations ? conversations : null;
  const count = groups ? (online / groups.online) * groups.groupSize : online;
  const all = devicesOf(target, await seedUsers(target, count, abort));
  // of each group those who are connected stand first
  const devices = groups ? all.filter((_, i) => i % groups.groupSize < groups.online) : all;
  const entrance = await findEntrance(target, devices);
  const gatewayIds = entrance.gatewayIds;
  const spread = groups
    ? spreadGroups(online / groups.online, groups.online, gatewayIds.length)
    : spreadPairs(Math.ceil(online / 2), gatewayIds.length);
  devices.forEach((device, index) => (device.gateway = spread[index]!));
  return {
    subject: 'product',
    entrance,
    devices,
    conversations: groups
      ? await makeGroups(target, all, groups)
      : conversations && 'pairs' in conversations
        ? await makePairs(target, devices.slice(0, 2 * conversations.pairs))
        : [],
    store: {
      databaseUrl: target.databaseUrl,
      progressSql: PROGRESS_SQL,
      messagesSql: MESSAGES_SQL,
    },
    // services that were started anew have other ids
    get processes() {
      return [...target.nodes.map(({ id, pid }) => ({ name: id, pid })), ...target.servers];
    },
    historyUrls: target.gateways,
    footprint: () => footprint(target),
    lag: () => asking(target.brokers, waitingRecords),
    stop: () => Promise.resolve(),
  };
}

async function waitingRecords(kafka: KafkaClient): Promise<number> {
  const lags = await partitionLags(kafka, Date.now);
  return lags.reduce((sum, { records }) => sum + records, 0);
}

/** Seeded users' devices, with tokens that hold for hours, on the gateways in turn. */
export function devicesOf(target: Target, users: readonly SeededUser[]): DevicePlan[] {
  return users.map(({ userId, deviceId }, index) => {
    const claims = { userId, deviceId, nowMs: Date.now(), lifetimeSeconds: TOKEN_LIFETIME_SECONDS };
    const token = signAccessToken(target.jwtSecret, claims);
    return { userId, deviceId, token, gateway: index % target.gateways.length };
  });
}

/** The way in through the directory. @throws StackError when the gateways are not there. */
export async function findEntrance(
  target: Target,
  devices: readonly DevicePlan[],
): Promise<Extract<Entrance, { kind: 'directory' }>> {
  const gatewayIds = await findGateways(target, devices[0]!);
  return { kind: 'directory', httpUrls: target.gateways, gatewayIds };
}

/** Asks the directory, avoiding those known, until it names no further one of the chosen gateways. */
async function findGateways(target: Target, device: DevicePlan): Promise<string[]> {
  const chosen = new Set(target.gateways.map((url) => new URL(url).host));
  const found = new Map<string, boolean>();
  for (let round = 0; round < MAX_GATEWAYS; round++) {
    const answer = (await callApi({
      base: target.gateways[0]!,
      method: 'POST',
      path: '/v1/connections',
      token: device.token,
      body: { deviceId: device.deviceId, avoid: [...found.keys()] },
    })) as ConnectionsAnswer;
    const fresh = answer.gateways.filter(({ id }) => !found.has(id));
    if (fresh.length === 0) break;
    for (const { id, url } of fresh) found.set(id, chosen.has(new URL(url).host));
  }
  const ids = [...found].filter(([, wanted]) => wanted).map(([id]) => id);
  if (ids.length > 0) return ids.sort();
  throw new StackError(
    `The directory names no gateway at ${[...chosen].join(', ')}: is --gateways right?`,
  );
}

async function makePairs(
  target: Target,
  devices: readonly DevicePlan[],
): Promise<ConversationPlan[]> {
  const pairs: ConversationPlan[] = [];
  await inParallel(devices.length / 2, HTTP_CONCURRENCY, async (pair) => {
    const [first, second] = [2 * pair, 2 * pair + 1];
    const call = {
      method: 'POST',
      path: '/v1/conversations',
      token: devices[first]!.token,
      body: { kind: 'direct', userIds: [devices[second]!.userId] },
    } as const;
    const conversation = (await patiently((attempt) =>
      callApi({ ...call, base: target.gateways[(pair + attempt) % target.gateways.length]! }),
    )) as Conversation;
    pairs[pair] = { conversationId: conversation.id, devices: [first, second] };
  });
  return pairs;
}
