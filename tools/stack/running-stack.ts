import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { withPassword } from '@tidings/common/runtime/setting-rules';
import { dataModel, isFresh, type ModelName } from './data-model';
import type { Log } from './download';
import { StackError, projectRoot, throwIfStopped } from './paths';
import { freeDefaultPlan } from './default-plan';
import { freePorts, rememberedPorts } from './ports';
import { makePrivate } from './private-files';
import type { RedisHandle } from './redis-server';
import { runProgram } from './run-program';
import { ensureSecrets } from './secrets';
import type { ServerHandle } from './server-handle';
import { type ServerPorts, type Servers, startServers } from './servers';
import { type NodeHandle, ServiceNode, childEnvironment, entryFile } from './service-node';
import {
  type PlannedNode,
  type ServiceCounts,
  type SharedSettings,
  DEFAULT_COUNTS,
  givenPorts,
  nodeEnvironment,
  nodeNames,
} from './service-plan';
import type { Stack, StackOptions } from './stack-types';
import { Supervisor } from './supervisor';

const PREPARE_TIMEOUT_MS = 90_000;

/** The processes of one stack and their order. */
export class RunningStack implements Stack {
  readonly nodes: Record<string, ServiceNode> = {};
  private servers: Servers | undefined;
  private shared: SharedSettings | undefined;
  private stopping: Promise<void> | undefined;
  private readonly log: Log;
  private readonly supervisor: Supervisor;

  constructor(private readonly options: StackOptions) {
    this.log = options.log ?? ((): void => undefined);
    const { restart = false, onRestarted } = options;
    this.supervisor = new Supervisor({ log: this.log, restart, onRestarted });
  }

  get dir(): string {
    return this.options.dir;
  }

  get brokers(): string {
    return this.settings.brokers ?? missing('Kafka');
  }

  get redisUrl(): string {
    return this.settings.redisUrl ?? missing('Redis');
  }

  get databaseUrl(): string {
    return this.settings.databaseUrl ?? missing('PostgreSQL');
  }

  get jwtSecret(): string {
    return this.settings.jwtSecret;
  }

  get clusterSecret(): string {
    return this.settings.clusterSecret;
  }

  get gatewayUrls(): string[] {
    return Object.values(this.nodes)
      .filter((node) => node.service === 'gateway')
      .map((node) => node.url);
  }

  node(id: string): NodeHandle {
    return this.nodes[id] ?? missing(id);
  }

  get kafka(): ServerHandle {
    return (this.servers ?? missing('Kafka')).kafka;
  }

  get redis(): RedisHandle {
    return (this.servers ?? missing('Redis')).redis;
  }

  get postgres(): ServerHandle {
    return (this.servers ?? missing('PostgreSQL')).postgres;
  }

  private get settings(): SharedSettings {
    return this.shared ?? missing('The stack');
  }

  private get distDir(): string {
    return this.options.distDir ?? join(projectRoot(), 'dist');
  }

  /** Servers, then migrations and topics, then the services. */
  async start(): Promise<void> {
    const plan = await this.planNodes();
    mkdirSync(join(this.dir, 'logs'), { recursive: true, mode: 0o700 });
    makePrivate(this.dir);
    const modelled = this.beginsWithModel();
    const addresses = await this.startServers(modelled);
    this.shared = { ...addresses, ...ensureSecrets(join(this.dir, 'secrets.json')) };
    for (const node of plan) this.nodes[node.id] = this.nodeFor(node, plan, this.shared);
    const storage = plan.find((node) => node.service === 'storage');
    if (storage && !modelled) {
      await this.prepare(this.environmentOf(storage, plan, this.shared));
    }
    if (this.options.onlyPrepare) return;
    const starts = Object.values(this.nodes).map(async (node) => {
      await node.start();
      this.log(`${node.id} is ready at ${node.url}`);
    });
    const results = await Promise.allSettled(starts);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  stop(): Promise<void> {
    this.supervisor.stop();
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  /** Gateways first: what they still hold must find Kafka, session and storage. Servers last. */
  private async stopAll(): Promise<void> {
    const nodes = Object.values(this.nodes);
    const gateways = nodes.filter((node) => node.service === 'gateway');
    const others = nodes.filter((node) => node.service !== 'gateway');
    await Promise.allSettled(gateways.map((node) => node.stop()));
    await Promise.allSettled(others.map((node) => node.stop()));
    await this.servers?.stop();
  }

  private async planNodes(): Promise<PlannedNode[]> {
    const counts: ServiceCounts = { ...DEFAULT_COUNTS, ...this.options.services };
    if (this.options.ports === 'free') {
      return givenPorts(counts, await freePorts(nodeNames(counts).length));
    }
    return freeDefaultPlan(counts, process.env);
  }

  /** Whether new servers of a test begin with tables and topics, as they are without any setting. */
  private beginsWithModel(): boolean {
    const { dir, env = {}, nodeEnv = {}, servers, useEnvironment } = this.options;
    if (!this.forTests || this.durable || servers || useEnvironment || !isFresh(dir)) return false;
    const settings = [env, ...Object.values(nodeEnv)].flatMap((one) => Object.keys(one));
    return dataModel('prepared') !== undefined && !settings.some((one) => one.startsWith('KAFKA_'));
  }

  private async startServers(
    modelled: boolean,
  ): Promise<Pick<SharedSettings, 'brokers' | 'redisUrl' | 'databaseUrl'>> {
    const env = this.options.useEnvironment ? process.env : {};
    const { kafka = true, redis = true, postgres = true } = this.options.servers ?? {};
    const wanted = {
      kafka: env.KAFKA_BROKERS || kafka,
      redis: whole(env.REDIS_URL, env.REDIS_PASSWORD) || redis,
      postgres: whole(env.DATABASE_URL, env.DATABASE_PASSWORD) || postgres,
    };
    const own = {
      kafka: wanted.kafka === true,
      redis: wanted.redis === true,
      postgres: wanted.postgres === true,
    };
    if (own.kafka || own.redis || own.postgres) {
      this.servers = await this.startOwn(own, modelled ? 'prepared' : 'bare');
    }
    const given = (value: boolean | string): string | undefined =>
      typeof value === 'string' ? value : undefined;
    return {
      brokers: own.kafka ? this.servers?.brokers : given(wanted.kafka),
      redisUrl: own.redis ? this.servers?.redisUrl : given(wanted.redis),
      databaseUrl: own.postgres ? this.servers?.databaseUrl : given(wanted.postgres),
    };
  }

  private async startOwn(
    own: Record<'kafka' | 'redis' | 'postgres', boolean>,
    model: ModelName,
  ): Promise<Servers> {
    const { dir, ports, abort, kafkaAdvertisedPort, kafkaProperties } = this.options;
    const { forTests } = this;
    return startServers({
      ...own,
      dir,
      model,
      ports: ports === 'default' ? await this.serverPorts() : {},
      smallHeap: forTests,
      durable: this.durable,
      kafkaAdvertisedPort,
      kafkaProperties,
      abort,
      log: this.log,
      onUnexpectedExit: this.supervisor.ended,
    });
  }

  private get forTests(): boolean {
    return this.options.forTests ?? this.options.ports === 'free';
  }

  private get durable(): boolean {
    return this.options.durable ?? !this.forTests;
  }

  private async serverPorts(): Promise<ServerPorts> {
    const names = ['kafka', 'kafkaController', 'redis', 'postgres'];
    const ports = await rememberedPorts(join(this.dir, 'ports.json'), names);
    const { kafka = 0, kafkaController = 0, redis = 0, postgres = 0 } = ports;
    return { kafka, kafkaController, redis, postgres };
  }

  private nodeFor(node: PlannedNode, plan: PlannedNode[], shared: SharedSettings): ServiceNode {
    return new ServiceNode(node, {
      distDir: this.distDir,
      dir: this.dir,
      abort: this.options.abort,
      env: this.environmentOf(node, plan, shared),
      archiveGivesWay: !this.forTests,
      onUnexpectedExit: this.supervisor.ended,
    });
  }

  private environmentOf(
    node: PlannedNode,
    plan: PlannedNode[],
    shared: SharedSettings,
  ): Record<string, string> {
    const { env, nodeEnv } = this.options;
    const own = {
      DATA_DIR: join(this.dir, 'nodes', node.id),
      MEDIA_DIR: join(this.dir, 'media'),
    };
    return { ...nodeEnvironment(node, plan, shared), ...own, ...env, ...nodeEnv?.[node.id] };
  }

  /** Storage's `prepare` runs the migrations and creates the topics, once, before any service starts. */
  private async prepare(env: Record<string, string>): Promise<void> {
    const began = Date.now();
    const result = await runProgram(
      process.execPath,
      [entryFile(this.distDir, 'storage'), 'prepare'],
      {
        env: childEnvironment(env),
        cwd: this.dir,
        timeoutMs: PREPARE_TIMEOUT_MS,
        abort: this.options.abort,
      },
    );
    throwIfStopped(this.options.abort);
    if (result.code !== 0) {
      const how = result.code === null ? `within ${PREPARE_TIMEOUT_MS / 1000} s` : '';
      const output = result.output.trimEnd();
      throw new StackError(`The tables or the topics could not be made ${how}:\n${output}`);
    }
    this.log(`Tables and topics are in place (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  }
}

/** An address with the password that is given beside it. */
function whole(url: string | undefined, password: string | undefined): string | undefined {
  return url && password ? withPassword(url, password) : url;
}

function missing(name: string): never {
  throw new StackError(`${name} is not part of this stack.`);
}
