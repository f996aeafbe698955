import { kafkaLogInto } from '@tidings/common/kafka/wire/calm-log';
import { createKafka, type KafkaClient } from '@tidings/common/kafka/wire/client';
import { createRedis, type RedisClient } from '@tidings/common/redis/client';
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
}

/** Makes the clients of everything that the gateway talks to. */
export function createBackends(env: GatewayEnv, logger: Logger, calls: CallWatch): Backends {
  const { NODE_ID: nodeId, CLUSTER_SECRET: secret } = env;
  return {
    kafka: createKafka({
      brokers: env.KAFKA_BROKERS,
      clientId: nodeId,
      log: kafkaLogInto(logger),
    }),
    redis: createRedis(env.REDIS_URL, { name: nodeId, log: logger }),
    blockingRedis: () =>
      createRedis(env.REDIS_URL, { name: `${nodeId}-inbox`, blocking: true, log: logger }),
    storage: new StorageClient({
      urls: env.STORAGE_URLS,
      nodeId,
      secret,
      report: calls.of('storage'),
    }),
    presence: new PresenceClient({
      urls: env.PRESENCE_URLS,
      nodeId,
      secret,
      report: calls.of('presence'),
    }),
  };
}
