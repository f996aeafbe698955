import { kafkaLogInto } from '@tidings/common/kafka/wire/calm-log';
import { createKafka, type KafkaClient } from '@tidings/common/kafka/wire/client';
import { createRedis, type RedisClient } from '@tidings/common/redis/client';
import type { DirectoryReport } from '@tidings/common/nodes/directory-report';
import { NodeWatch } from '@tidings/common/nodes/node-watch';
import { Directory, NODES } from '@tidings/common/redis/directory';
import { clusterMac } from '@tidings/common/rpc/credentials';
import type { CallWatch } from '@tidings/common/rpc/call-watch';
import type { Logger } from '@tidings/common/runtime/logger';
import type { GatewayEnv } from './gateway.env';
import { PresenceClient, StorageClient } from './service-clients';

/** What the gateway talks to; nothing is connected for good before it is used. */
export interface Backends {
  kafka: KafkaClient;
  redis: RedisClient;
  /** Makes a connection for one inbox reader. */
  blockingRedis: () => RedisClient;
  storage: StorageClient;
  presence: PresenceClient;
  /** The instances of storage and presence. */
  nodes: NodeWatch;
}

/** Makes the clients of everything that the gateway talks to. */
export function createBackends(
  env: GatewayEnv,
  logger: Logger,
  calls: CallWatch,
  directories: DirectoryReport,
): Backends {
  const { NODE_ID: nodeId, CLUSTER_SECRET: secret } = env;
  const redis = createRedis(env.REDIS_URL, { name: nodeId, log: logger });
  const nodes = new NodeWatch(
    new Directory(redis, NODES, {
      mac: (parts) => clusterMac(secret, parts),
      refused: directories.of('nodes'),
    }),
  );
  return {
    redis,
    nodes,
    kafka: createKafka({
      brokers: env.KAFKA_BROKERS,
      clientId: nodeId,
      log: kafkaLogInto(logger),
    }),
    blockingRedis: () =>
      createRedis(env.REDIS_URL, { name: `${nodeId}-inbox`, blocking: true, log: logger }),
    storage: new StorageClient({
      urls: env.STORAGE_URLS,
      listed: () => nodes.of('storage'),
      nodeId,
      secret,
      report: calls.of('storage'),
    }),
    presence: new PresenceClient({
      urls: env.PRESENCE_URLS,
      listed: () => nodes.of('presence'),
      nodeId,
      secret,
      report: calls.of('presence'),
    }),
  };
}
