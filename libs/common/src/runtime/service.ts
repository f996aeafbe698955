import type { z } from 'zod';
import { LogConsumerStrategy } from '../kafka/consumer/log-consumer';
import type { LogConsumerOptions } from '../kafka/consumer/log-consumer-options';
import { calmTrouble, kafkaLogInto } from '../kafka/wire/calm-log';
import { LogOffsets } from '../kafka/offsets/log-offsets';
import type { GroupId } from '../log-events/topics';
import { createKafka, type KafkaClient } from '../kafka/wire/client';
import { checkTopics, specsOf } from '../kafka/wire/topics';
import { Announcer } from '../nodes/announcer';
import { internalUrl } from '../nodes/internal-url';
import { LagWatch } from '../nodes/lag-watch';
import { NodeLag } from '../nodes/node-lag';
import { NodeWatch } from '../nodes/node-watch';
import { Peers } from '../peers/peers';
import { createRedis, redisProblem, redisReady, type RedisClient } from '../redis/client';
import { refuseEviction } from '../redis/eviction';
import { Directory, GATEWAYS, NODES, type GatewayEntry, type NodeEntry } from '../redis/directory';
import { Defects } from './defects';
import { DirectoryReport } from '../nodes/directory-report';
import type { CallWatch } from '../rpc/call-watch';
import { clusterMac } from '../rpc/credentials';
import { callsComeLater } from '../rpc/rpc-server';
import type { commonEnv, internalUrlEnv, kafkaEnv, redisEnv } from './env';
import type { Readiness } from './health';
import { type Answering, InnerListener } from './inner-listener';
import type { Logger } from './logger';
import type { Metrics } from './metrics';
import type { StartTimeline } from './start-timeline';
import { VERSION } from './version';
import type { WhileAway } from './waiting';

type ServiceEnv = z.output<typeof commonEnv> &
  z.output<typeof kafkaEnv> &
  z.output<typeof internalUrlEnv> &
  z.output<typeof redisEnv>;

/** What a service's process consists of; provided by `runtime/serve`, or by a test. */
export interface ServiceOptions<Env> {
  env: Env;
  logger: Logger;
  metrics: Metrics;
  readiness: Readiness;
  /** Told about the steps of the start. */
  timeline?: Pick<StartTimeline, 'done'>;
  /** The process cannot go on and should exit. */
  onFatal(error: Error): void;
}

/** What a service reads from the log. */
export interface ServiceReads {
  /** The name under which it is listed. */
  service: NodeEntry['service'];
  /** Its consumer groups, the most urgent first. */
  groups: readonly GroupId[];
  /** Topics that must exist, each with its dead letters. */
  topics: readonly string[];
  /** Whether this instance tells how far the groups of all services are behind. */
  leads?(): boolean;
}

/** A consumer of this process, without what all of them share. */
type ConsumerOptions = Omit<
  LogConsumerOptions,
  'kafka' | 'memberStore' | 'gapFound' | 'onError' | 'onFatal'
> & {
  gapFound?: LogConsumerOptions['gapFound'];
  /** What is logged when records are missing, and when something is retried. */
  says?: { gap?: string; trouble?: string };
};

/**
 * What every process has that consumes the log: its connections to Kafka and Redis, its place among
 * the other instances of the service, and its consumers. Creating it connects nothing.
 */
export class Service {
  readonly kafka: KafkaClient;
  readonly redis: RedisClient;
  readonly defects: Defects;
  /** The instances of all services. */
  readonly nodes: NodeWatch;
  /** Why Redis cannot be used at the moment; null: it can. */
  readonly redisProblem: () => string | null;
  /** The gateways, as they announce themselves. */
  readonly gateways: Directory<GatewayEntry>;
  private readonly peers: Peers;
  private readonly announcer: Announcer<NodeEntry>;
  private readonly lag = new NodeLag();
  /** Of its own, for a look that waits holds up what comes behind it. */
  private readonly offsets: LogOffsets;
  private readonly lagWatch: LagWatch;
  private readonly ending = new AbortController();
  private listener: InnerListener | null = null;
  private calls: Answering = callsComeLater;

  constructor(
    private readonly options: ServiceOptions<ServiceEnv>,
    private readonly reads: ServiceReads,
  ) {
    const { env, logger, metrics } = options;
    const { NODE_ID: nodeId, CLUSTER_SECRET: secret } = env;
    this.defects = new Defects(logger, metrics);
    const log = kafkaLogInto(logger);
    this.kafka = createKafka({ brokers: env.KAFKA_BROKERS, clientId: nodeId, log });
    this.redis = createRedis(env.REDIS_URL, { name: nodeId, log: logger });
    this.redisProblem = redisProblem(this.redis);
    if (env.NODE_ENV === 'production') refuseEviction(this.redis, options.onFatal);
    const { groups } = reads;
    const { kafka, redis } = this;
    this.peers = new Peers({ redis, kafka, nodeId, groups, logger, metrics });
    const mac = (parts: readonly string[]): string => clusterMac(secret, parts);
    const report = new DirectoryReport(metrics, logger);
    const directory = new Directory(redis, NODES, { mac, refused: report.of('nodes') });
    this.gateways = new Directory(redis, GATEWAYS, { mac, refused: report.of('gateways') });
    this.nodes = new NodeWatch(directory);
    this.offsets = new LogOffsets(this.kafka);
    this.lagWatch = new LagWatch({
      offsets: this.offsets,
      topics: specsOf(env),
      own: groups,
      leads: () => reads.leads?.() ?? false,
      metrics,
      logger,
      now: () => Date.now(),
    });
    this.announcer = new Announcer({
      directory,
      nodeId,
      facts: () => this.facts(),
      isReady: () => Object.keys(options.readiness.problems()).length === 0,
      logger,
      metrics,
    });
  }

  /** Of this run of the process. */
  get bootId(): string {
    return this.peers.bootId;
  }

  /**
   * Answers what is asked about this process, from now on; calls of other services are refused until
   * {@link answer}. `calls`: those of its own.
   */
  async listen(calls?: CallWatch): Promise<void> {
    const { env, readiness, metrics } = this.options;
    this.listener = await InnerListener.open(
      { host: env.HOST, port: env.PORT },
      {
        health: { readiness, metrics, calls },
        defects: this.defects,
        calls: (request, response) => this.calls(request, response),
      },
    );
  }

  /** From now on calls are answered. */
  answer(calls: Answering): void {
    this.calls = calls;
  }

  /** Resolves when the last answer is given. */
  async stopListening(): Promise<void> {
    await this.listener?.close();
  }

  /** Address of the listener. */
  get url(): string {
    return this.listener?.url ?? '';
  }

  /** How the start waits for a part that is away. */
  awaiting(part: string): Pick<WhileAway, 'awaiting' | 'signal'> {
    return { awaiting: this.options.readiness.awaiting(part), signal: this.ending.signal };
  }

  /**
   * Takes its place among the instances. Its predecessor is made to leave as soon as Redis knows
   * it.
   */
  joinPeers(): void {
    this.peers.start();
    this.nodes.start();
    this.lagWatch.start();
  }

  /** Lists this node from now on, as joining until it is useful. */
  async announce(): Promise<void> {
    this.lag.start();
    await this.announcer.start(internalUrl(this.options.env.INTERNAL_URL, this.url));
  }

  /** Tells the others that this node is stopping: from now on calls go to them. */
  async drain(): Promise<void> {
    await this.announcer.drain();
  }

  /** Removes this node from the list, and closes the connection to Redis. */
  async leaveRedis(): Promise<void> {
    this.lag.stop();
    // what it asks of Kafka at that moment is given up
    this.offsets.close();
    await this.lagWatch.stop();
    this.nodes.stop();
    await this.announcer.withdraw();
    this.redis.disconnect();
  }

  /** {@link joinPeers}, and waits until Redis answers. */
  async reachRedis(): Promise<void> {
    const { timeline } = this.options;
    this.joinPeers();
    await redisReady(this.redis);
    timeline?.done('redis');
    void this.peers.leavePredecessor().then(() => timeline?.done('predecessor left'));
  }

  /** Waits for the topics, also for as long as no broker answers. @throws TopicMismatchError */
  checkTopics(): Promise<void> {
    const isRead = (name: string): boolean =>
      this.reads.topics.some((topic) => name.startsWith(topic));
    const specs = specsOf(this.options.env).filter(({ name }) => isRead(name));
    const { awaiting, signal } = this.awaiting('kafka');
    return checkTopics(this.kafka, specs, { waitUntil: signal, awaiting });
  }

  /** A member of one of the service's groups. It joins when it starts. */
  consumer({ says = {}, ...options }: ConsumerOptions): LogConsumerStrategy {
    const { logger, onFatal } = this.options;
    const level = options.onGap === 'skip' ? 'warn' : 'error';
    const consumer = new LogConsumerStrategy({
      kafka: this.kafka,
      memberStore: this.peers.storeOf(options.groupId),
      gapFound: ({ expected, found, ...gap }) =>
        logger[level](
          { ...gap, expected: String(expected), found: String(found) },
          says.gap ?? 'records are missing from the log: an operator has to decide',
        ),
      onError: calmTrouble(logger, says.trouble),
      onFatal,
      ...options,
    });
    this.lag.add(options.groupId, consumer);
    return consumer;
  }

  /** Releases everything that waits for brokers, or for another service. */
  stopWaiting(): void {
    this.ending.abort();
  }

  /** Gives up its place among the instances; the consumers have left their groups on their own. */
  leavePeers(): Promise<void> {
    return this.peers.stop();
  }

  private facts(): Omit<NodeEntry, 'at' | 'state' | 'url'> {
    return {
      service: this.reads.service,
      id: this.options.env.NODE_ID,
      bootId: this.peers.bootId,
      version: VERSION,
      lag: this.lag.current,
    };
  }
}
