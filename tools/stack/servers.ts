import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataModel, type ModelName } from './data-model';
import { type Log, ensureServers } from './download';
import { startKafka } from './kafka-server';
import type { UnexpectedExit } from './managed-process';
import { StackError } from './paths';
import { freePorts } from './ports';
import { makePrivate } from './private-files';
import { startPostgres } from './postgres-server';
import { type RedisHandle, startRedis } from './redis-server';
import type { ServerHandle } from './server-handle';
import { removeSharedPlace } from './server-user';

/** Which servers to start and how. */
export interface ServersOptions {
  /** Data and logs; left out: a temporary directory that `stop` removes. */
  dir?: string;
  /** The named ones are started; when none is named, all three. */
  kafka?: boolean;
  redis?: boolean;
  postgres?: boolean;
  /** Kafka with a 256 MB heap and quick start (default true; false for measurements). */
  smallHeap?: boolean;
  /** Port that Kafka tells its clients, when a proxy stands in front. */
  kafkaAdvertisedPort?: number;
  /** further lines for Kafka's server.properties */
  kafkaProperties?: Record<string, string>;
  /** Redis' append-only file (default true). */
  redisPersistent?: boolean;
  /** fsync of PostgreSQL (default false here). */
  durable?: boolean;
  /** What new data is a copy of, where a test run has it (default `bare`; only what is not durable). */
  model?: ModelName;
  /** Loopback ports; those not named are free ones. */
  ports?: Partial<ServerPorts>;
  log?: Log;
  onUnexpectedExit?: UnexpectedExit;
  /** calls the start off */
  abort?: AbortSignal;
}

/** Ports of the servers. */
export interface ServerPorts {
  kafka: number;
  kafkaController: number;
  redis: number;
  postgres: number;
}

/** Running servers. Reading one that was not asked for throws. */
export interface Servers {
  readonly dir: string;
  readonly kafka: ServerHandle;
  readonly redis: RedisHandle;
  readonly postgres: ServerHandle;
  /** `host:port` for kafkajs */
  readonly brokers: string;
  readonly redisUrl: string;
  readonly databaseUrl: string;
  /** Stops all in bounded time; removes the directory when it was a temporary one. Never rejects. */
  stop(): Promise<void>;
}

interface Started {
  kafka?: ServerHandle;
  redis?: RedisHandle;
  postgres?: ServerHandle;
}

class RunningServers implements Servers {
  readonly started: Started = {};

  constructor(
    readonly dir: string,
    private readonly temporary: boolean,
  ) {}

  get kafka(): ServerHandle {
    return this.started.kafka ?? notStarted('Kafka');
  }

  get redis(): RedisHandle {
    return this.started.redis ?? notStarted('Redis');
  }

  get postgres(): ServerHandle {
    return this.started.postgres ?? notStarted('PostgreSQL');
  }

  get brokers(): string {
    return this.kafka.url;
  }

  get redisUrl(): string {
    return this.redis.url;
  }

  get databaseUrl(): string {
    return this.postgres.url;
  }

  async stop(): Promise<void> {
    const { kafka, redis, postgres } = this.started;
    await Promise.allSettled([kafka?.stop(), redis?.stop(), postgres?.stop()]);
    if (!this.temporary) return;
    removeSharedPlace(this.dir);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function notStarted(name: string): never {
  throw new StackError(`${name} was not started here.`);
}

/**
 * Starts real servers, in parallel, each on a loopback port of its own; resolves when all answer. When one fails the
 * others are stopped.
 * @throws StackError
 */
export async function startServers(options: ServersOptions = {}): Promise<Servers> {
  const temporary = options.dir === undefined;
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'tidings-'));
  mkdirSync(dir, { recursive: true });
  makePrivate(dir);
  const servers = new RunningServers(dir, temporary);
  try {
    const starts = await startsFor(options, dir, servers.started);
    const results = await Promise.allSettled(starts);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    return servers;
  } catch (error) {
    await servers.stop();
    throw error;
  }
}

async function startsFor(
  options: ServersOptions,
  dir: string,
  into: Started,
): Promise<Promise<void>[]> {
  const binaries = await ensureServers(options.log, options.abort);
  const ports = await portsFor(options.ports ?? {});
  const all = !options.kafka && !options.redis && !options.postgres;
  const log = options.log ?? ((): void => undefined);
  const { abort, onUnexpectedExit } = options;
  const common = { dir, abort, onUnexpectedExit };
  const durable = options.durable ?? false;
  const model = durable ? undefined : dataModel(options.model ?? 'bare');
  const starts: Promise<void>[] = [];
  const begin = async (name: string, start: () => Promise<void>): Promise<void> => {
    const began = Date.now();
    await start();
    log(`${name} is up (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  };
  if (all || options.redis) {
    const program = binaries.redisServer;
    const redis = { ...common, port: ports.redis, program, persistent: options.redisPersistent };
    starts.push(begin('Redis', async () => void (into.redis = await startRedis(redis))));
  }
  if (all || options.postgres) {
    const postgres = {
      ...common,
      port: ports.postgres,
      home: binaries.postgresHome,
      durable,
      model,
    };
    starts.push(
      begin('PostgreSQL', async () => void (into.postgres = await startPostgres(postgres))),
    );
  }
  if (all || options.kafka) {
    const kafka = {
      ...common,
      port: ports.kafka,
      controllerPort: ports.kafkaController,
      libs: binaries.kafkaLibs,
      smallHeap: options.smallHeap ?? true,
      advertisedPort: options.kafkaAdvertisedPort,
      properties: options.kafkaProperties,
      model: model?.kafkaLog,
    };
    starts.push(begin('Kafka', async () => void (into.kafka = await startKafka(kafka))));
  }
  return starts;
}

async function portsFor(given: Partial<ServerPorts>): Promise<ServerPorts> {
  const [kafka = 0, kafkaController = 0, redis = 0, postgres = 0] = await freePorts(4);
  return { kafka, kafkaController, redis, postgres, ...given };
}
