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
  population: Population,
  abort: AbortSignal,
): Promise<Pipeline> {
  const seeded = await seedUsers(target, usersOf(population), abort);
  const all = devicesOf(target, seeded);
  const { devices, entrance } = await connected(target, all, population, 'chosen');
  return {
    subject: 'product',
    entrance,
    devices,
    conversations: await conversationsOf(target, { all, devices }, population),
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

/** Where the public interface is. */
type Place = Pick<Target, 'gateways'>;

function groupsOf({ conversations }: Population): { groupSize: number; online: number } | null {
  return conversations && 'groupSize' in conversations ? conversations : null;
}

/** How many users there are, connected or not. */
export function usersOf(population: Population): number {
  const groups = groupsOf(population);
  return groups ? (population.users / groups.online) * groups.groupSize : population.users;
}

/** Of all users those who are connected, each with the gateway it should be on, and the way in. */
export async function connected(
  place: Place,
  all: readonly DevicePlan[],
  population: Population,
  which: 'chosen' | 'all',
): Promise<{ devices: DevicePlan[]; entrance: Entrance }> {
  const groups = groupsOf(population);
  const { users: online } = population;
  // of each group those who are connected stand first
  const devices = all.filter((_, i) => !groups || i % groups.groupSize < groups.online);
  const entrance = await findEntrance(place, devices, which);
  const { length } = entrance.gatewayIds;
  const spread = groups
    ? spreadGroups(online / groups.online, groups.online, length)
    : spreadPairs(Math.ceil(online / 2), length);
  devices.forEach((device, index) => (device.gateway = spread[index]!));
  return { devices, entrance };
}

/** Makes what they write to. */
export async function conversationsOf(
  place: Place,
  { all, devices }: { all: readonly DevicePlan[]; devices: readonly DevicePlan[] },
  population: Population,
): Promise<ConversationPlan[]> {
  const groups = groupsOf(population);
  if (groups) return makeGroups(place, all, groups);
  const { conversations } = population;
  if (!conversations || !('pairs' in conversations)) return [];
  return makePairs(place, devices.slice(0, 2 * conversations.pairs));
}

/** Seeded users' devices, with tokens that hold for hours, on the gateways in turn. */
export function devicesOf(target: Target, users: readonly SeededUser[]): DevicePlan[] {
  return users.map(({ userId, deviceId }, index) => {
    const claims = { userId, deviceId, nowMs: Date.now(), lifetimeSeconds: TOKEN_LIFETIME_SECONDS };
    const token = signAccessToken(target.jwtSecret, claims);
    return { userId, deviceId, token, gateway: index % target.gateways.length };
  });
}

/**
 * The way in through the directory: to those gateways whose addresses were chosen, or to all that it names (behind a
 * balancer they have other addresses).
 * @throws StackError when the gateways are not there
 */
export async function findEntrance(
  place: Place,
  devices: readonly DevicePlan[],
  which: 'chosen' | 'all' = 'chosen',
): Promise<Extract<Entrance, { kind: 'directory' }>> {
  const gatewayIds = await findGateways(place, devices[0]!, which);
  return { kind: 'directory', httpUrls: place.gateways, gatewayIds };
}

/** Asks the directory, avoiding those known, until it names no further one of the chosen gateways. */
async function findGateways(
  target: Place,
  device: DevicePlan,
  which: 'chosen' | 'all',
): Promise<string[]> {
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
    for (const { id, url } of fresh) {
      found.set(id, which === 'all' || chosen.has(new URL(url).host));
    }
  }
  const ids = [...found].filter(([, wanted]) => wanted).map(([id]) => id);
  if (ids.length > 0) return ids.sort();
  throw new StackError(
    `The directory names no gateway at ${[...chosen].join(', ')}: is --gateways right?`,
  );
}

async function makePairs(
  target: Place,
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
