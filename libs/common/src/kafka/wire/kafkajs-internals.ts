import type { Kafka, PartitionMetadata } from 'kafkajs';
import { decodeFetch, type FetchAnswer, FETCH_VERSION } from './fetch-decoder';
import { paceFetches } from './fetch-pace';
import type { ConnectionPool, ProtocolRequest } from './kafkajs-requests';
import { checkWhenWaiting } from './request-checks';

export type { ProtocolRequest } from './kafkajs-requests';

/**
 * The only file that knows the internals of kafkajs (2.2.4, pinned). Its public producer discards
 * the answers of healthy partitions when one fails, its admin looks up twice as much as the read
 * barrier needs, and LeaveGroup for another member is not public at all. Its cluster and brokers
 * can do all of that.
 */
export interface KafkaCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  /** Adds topics to the metadata that is kept; loads them if missing. */
  addMultipleTargetTopics(topics: string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  /** Connects when necessary. */
  findBroker(options: { nodeId: number | string }): Promise<KafkaBroker>;
  findTopicPartitionMetadata(topic: string): PartitionMetadata[];
  findGroupCoordinator(options: { groupId: string }): Promise<KafkaBroker>;
  connectionPoolBuilder: { build(destination?: unknown): Promise<ConnectionPool> };
  brokerPool: BrokerPool;
}

interface KafkaBroker {
  connectionPool: ConnectionPool;
  leaveGroup(options: { groupId: string; memberId: string }): Promise<unknown>;
  listOffsets(options: {
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[];
  }): Promise<OffsetsAnswer>;
  fetch(options: {
    replicaId: number;
    isolationLevel: number;
    maxWaitTime: number;
    minBytes: number;
    maxBytes: number;
    topics: {
      topic: string;
      partitions: { partition: number; fetchOffset: string; maxBytes: number }[];
    }[];
  }): Promise<{
    responses: {
      partitions: {
        messages: FetchedMessage[];
        highWatermark: string;
        /** The log's first offset; left out by old brokers. */
        lastStartOffset?: string;
      }[];
    }[];
  }>;
  offsetFetch(options: {
    groupId: string;
    topics: { topic: string; partitions: { partition: number }[] }[];
  }): Promise<OffsetsAnswer>;
}

/** A record as kafkajs decodes it. */
interface FetchedMessage {
  offset: string;
  timestamp: string;
  key: Buffer | null;
  value: Buffer | null;
  headers?: Record<string, Buffer>;
}

interface OffsetsAnswer {
  responses: { partitions: { partition: number; offset: string | null }[] }[];
}

interface BrokerPool {
  brokers: Record<string, KafkaBroker>;
  seedBroker?: KafkaBroker;
  metadata: { topicMetadata: { partitionMetadata: PartitionMetadata[] }[] } | null;
  metadataExpireAt: number | null;
  refreshMetadata(topics: string[]): Promise<unknown>;
}

interface ClusterOptions {
  metadataMaxAge: number;
  allowAutoTopicCreation: boolean;
}

type ClusterFactory = (options: ClusterOptions) => KafkaCluster;

const API = { fetch: 1, listOffsets: 2, metadata: 3 } as const;
/** Kafka's error code for a fetch outside the log. */
export const OFFSET_OUT_OF_RANGE = 1;
/**
 * LEADER_NOT_AVAILABLE, REPLICA_NOT_AVAILABLE, LISTENER_NOT_FOUND: trouble in a single partition.
 */
const LEADERLESS = new Set([5, 9, 72]);
const METADATA_MAX_AGE_MS = 300_000;
/** How long the fetch of an idle log waits for its first record. */
const IDLE_WAIT_MS = 250;
/** How soon metadata with a leaderless partition is looked up again. */
const LEADERLESS_MAX_AGE_MS = 1_000;

/** Told about a fetch outside the log's bounds. */
export type OutOfRange = (topic: string, partition: number) => void;

/** A cluster of one's own (connections, metadata), not connected yet. */
export function openCluster(kafka: Kafka): KafkaCluster {
  return factoryOf(kafka).create({
    metadataMaxAge: METADATA_MAX_AGE_MS,
    allowAutoTopicCreation: false,
  });
}

/**
 * Closes a cluster at once: requests in progress are rejected. kafkajs' own disconnect waits for
 * them, and no longer times them out.
 */
export function destroyCluster(cluster: KafkaCluster): void {
  const { brokers, seedBroker } = cluster.brokerPool;
  for (const broker of [...Object.values(brokers), ...(seedBroker ? [seedBroker] : [])]) {
    for (const connection of broker.connectionPool.pool) {
      connection.requestQueue.rejectAll(new Error('connection closed by this process'));
    }
  }
  void cluster.disconnect().catch(() => undefined);
}

/**
 * Changes what all clusters of this instance do with some answers. Metadata in which some
 * partitions have no leader is kept: kafkajs refuses it as a whole, so one leaderless partition
 * would stop its whole topic. Idle connections have no timers: {@link checkWhenWaiting}. For the
 * log consumer, which passes `onOutOfRange`, also:
 * - A fetch outside the log is reported and answered with nothing. kafkajs would commit its default
 *   offset and go on there, silently.
 * - Fetched messages are decoded by {@link decodeFetch}: they are records already.
 * - The fetches of an idle log wait long: {@link paceFetches}.
 */
export function hardenClusters(kafka: Kafka, onOutOfRange?: OutOfRange): Kafka {
  const { create, replace } = factoryOf(kafka);
  replace((options) => {
    const cluster = create(options);
    editAnswers<BrokerPool['metadata']>(cluster, API.metadata, keepLeaderless);
    expireSoonWhenLeaderless(cluster.brokerPool);
    changePools(cluster, ({ pool }) => pool.forEach((one) => checkWhenWaiting(one.requestQueue)));
    if (onOutOfRange) {
      editAnswers<FetchAnswer>(cluster, API.fetch, (answer) => reportRange(answer, onOutOfRange));
      changeRequests(cluster, API.fetch, decodeFast);
      changePools(cluster, (pool) => paceFetches(pool, IDLE_WAIT_MS));
    }
    return cluster;
  });
  return kafka;
}

/** Lets `listOffsets` answer null for partitions with an error instead of failing as a whole. */
export function tolerateMissingOffsets(cluster: KafkaCluster): void {
  editAnswers<ListOffsetsData>(cluster, API.listOffsets, ({ responses }) => {
    for (const partition of responses.flatMap((topic) => topic.partitions)) {
      if (partition.errorCode !== 0) partition.offset = null;
      partition.errorCode = 0;
    }
  });
}

interface ListOffsetsData {
  responses: { partitions: { errorCode: number; offset: string | null }[] }[];
}

function reportRange({ responses }: FetchAnswer, onOutOfRange: OutOfRange): void {
  for (const { topicName, partitions } of responses) {
    for (const partition of partitions) {
      if (partition.errorCode !== OFFSET_OUT_OF_RANGE) continue;
      partition.errorCode = 0;
      onOutOfRange(topicName, partition.partition);
    }
  }
}

function keepLeaderless(metadata: BrokerPool['metadata']): void {
  for (const partition of partitionsOf(metadata)) {
    if (!LEADERLESS.has(partition.partitionErrorCode)) continue;
    partition.partitionErrorCode = 0;
    partition.leader = -1;
  }
}

function factoryOf(kafka: Kafka) {
  const holder = kafka as unknown as Record<symbol, ClusterFactory>;
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    (s) => s.description === 'private:Kafka:createCluster',
  );
  const create = symbol && holder[symbol];
  if (!create) throw new Error('kafkajs is not the pinned version: its cluster factory is missing');
  return { create, replace: (factory: ClusterFactory) => void (holder[symbol] = factory) };
}

type ChangeRequest = <T>(request: ProtocolRequest<T>) => ProtocolRequest<T>;

/** Replaces every request of one kind before it is sent. */
function changeRequests(cluster: KafkaCluster, apiKey: number, change: ChangeRequest): void {
  changePools(cluster, (pool) => {
    const send = pool.send.bind(pool);
    pool.send = (request) => send(request.request.apiKey === apiKey ? change(request) : request);
  });
}

/** Changes the connections to every broker as they are made. */
function changePools(cluster: KafkaCluster, change: (pool: ConnectionPool) => void): void {
  const builder = cluster.connectionPoolBuilder;
  const build = builder.build.bind(builder);
  builder.build = async (destination) => {
    const pool = await build(destination);
    change(pool);
    return pool;
  };
}

/** Passes every decoded answer of one kind to `edit` before kafkajs looks for errors in it. */
function editAnswers<D>(cluster: KafkaCluster, apiKey: number, edit: (data: D) => void): void {
  changeRequests(cluster, apiKey, (request) => {
    const { response } = request;
    const parse = (data: unknown) => {
      edit(data as D);
      return response.parse(data);
    };
    return { ...request, response: { decode: (raw) => response.decode(raw), parse } };
  });
}

function decodeFast<T>(request: ProtocolRequest<T>): ProtocolRequest<T> {
  if (request.request.apiVersion !== FETCH_VERSION) return request;
  const { response } = request;
  const decode = async (raw: Buffer) => decodeFetch(raw) ?? (await response.decode(raw));
  return { ...request, response: { decode, parse: (data) => response.parse(data) } };
}

function expireSoonWhenLeaderless(pool: BrokerPool): void {
  const refresh = pool.refreshMetadata.bind(pool);
  pool.refreshMetadata = async (topics) => {
    const result = await refresh(topics);
    if (partitionsOf(pool.metadata).some((partition) => partition.leader < 0)) {
      pool.metadataExpireAt = Date.now() + LEADERLESS_MAX_AGE_MS;
    }
    return result;
  };
}

function partitionsOf(metadata: BrokerPool['metadata']): PartitionMetadata[] {
  return metadata?.topicMetadata.flatMap((topic) => topic.partitionMetadata) ?? [];
}
