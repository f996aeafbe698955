import type { Log } from './download';
import type { RedisHandle } from './redis-server';
import type { ServerHandle } from './server-handle';
import type { NodeHandle } from './service-node';
import type { ServiceCounts } from './service-plan';

/** How a stack is to be started. */
export interface StackOptions {
  /** Data, logs, secrets. Kept over restarts; the caller removes it. */
  dir: string;
  /** `default`: 8080…, 8090… and remembered server ports; `free`: any free ones (tests). */
  ports: 'default' | 'free';
  /** true (default): an own one; false: none; a string: this address is used instead. */
  servers?: { kafka?: boolean | string; redis?: boolean | string; postgres?: boolean | string };
  /** KAFKA_BROKERS, REDIS_URL and DATABASE_URL, where set, are used instead of own servers. */
  useEnvironment?: boolean;
  /** Instances; left out: two gateways and one of each other service. */
  services?: Partial<ServiceCounts>;
  /** further environment variables for all services */
  env?: Record<string, string>;
  /** further environment variables for single instances, by id (`gateway-1`) */
  nodeEnv?: Record<string, Record<string, string>>;
  /** Start a process again when it ended unasked, at once the first time (default false). */
  restart?: boolean;
  /** told when a process was started again */
  onRestarted?: () => void;
  /** Small Kafka heap, and no fsync unless `durable` says otherwise (default: true with free ports). */
  forTests?: boolean;
  /** fsync of PostgreSQL (default: not for tests) */
  durable?: boolean;
  /** Tables and topics are made, no service is started (default false). */
  onlyPrepare?: boolean;
  /** Port that Kafka tells its clients, when a proxy stands in front. */
  kafkaAdvertisedPort?: number;
  /** further lines for Kafka's server.properties */
  kafkaProperties?: Record<string, string>;
  log?: Log;
  /** calls the start off: what runs is stopped and the start fails */
  abort?: AbortSignal;
  /** Where the compiled services are (default `dist` of the checkout). */
  distDir?: string;
}

/** A running stack. */
export interface Stack {
  readonly dir: string;
  /** `host:port`, comma separated */
  readonly brokers: string;
  readonly redisUrl: string;
  readonly databaseUrl: string;
  readonly jwtSecret: string;
  readonly clusterSecret: string;
  /** Base addresses of the gateways, `http://127.0.0.1:<port>`. */
  readonly gatewayUrls: string[];
  /** By id; `node(id)` throws for an unknown one. */
  readonly nodes: Readonly<Record<string, NodeHandle>>;
  node(id: string): NodeHandle;
  /** Own servers; reading one that is not the stack's own throws. */
  readonly kafka: ServerHandle;
  readonly redis: RedisHandle;
  readonly postgres: ServerHandle;
  /** Stops everything in reverse order, in bounded time; a second call waits for the first. Never rejects. */
  stop(): Promise<void>;
}
