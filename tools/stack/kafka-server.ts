import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyFolder } from './data-model';
import { StackError } from './paths';
import { ClassArchive } from './class-archive';
import { ManagedProcess } from './managed-process';
import { kafkaAnswers } from './probes';
import { runProgram } from './run-program';
import type { ServerHandle, ServerOptions } from './server-handle';

/** Options of the Kafka server. */
export interface KafkaOptions extends ServerOptions {
  /** directory of Kafka's jars */
  libs: string;
  /** loopback port of the KRaft controller */
  controllerPort: number;
  /** 256 MB heap and the quick compiler only: for tests, not for measurements */
  smallHeap?: boolean;
  /** Port told to clients instead of `port`, when a proxy stands in front. */
  advertisedPort?: number;
  /** further lines for server.properties */
  properties?: Record<string, string>;
  /** A log directory to begin with a copy of, instead of formatting one. */
  model?: string;
}

const READY_TIMEOUT_MS = 60_000;

const LOG4J = `status = warn
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
logger.config.name = org.apache.kafka.common.config.AbstractConfig
logger.config.level = warn
`;

/** The Java program: JAVA_HOME's, else the one on the PATH. */
export function javaCommand(env: NodeJS.ProcessEnv = process.env): string {
  return env.JAVA_HOME ? join(env.JAVA_HOME, 'bin', 'java') : 'java';
}

/**
 * server.properties of a single node in KRaft combined mode, on the loopback interface only. The short broker session
 * lets a broker that was killed come back in seconds: the controller refuses it until its old session is over.
 */
export function kafkaProperties(options: KafkaOptions): string {
  const { port, controllerPort, dir, advertisedPort = port } = options;
  const properties: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${advertisedPort}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': join(dir, 'kafka', 'log'),
    'broker.session.timeout.ms': 3000,
    'broker.heartbeat.interval.ms': 500,
    'auto.create.topics.enable': false,
    'unclean.leader.election.enable': false,
    'default.replication.factor': 1,
    'min.insync.replicas': 1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    // groups of passing readers (the console consumer) vanish soon after them
    'offsets.retention.check.interval.ms': 10_000,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1000,
    'log.retention.hours': 168,
    'log.segment.bytes': 128 * 1024 * 1024,
    'log.cleaner.threads': 1,
    'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
    'num.network.threads': 2,
    'num.io.threads': 4,
    ...options.properties,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** JVM options for the broker. */
function kafkaJvmFlags(smallHeap: boolean): string[] {
  return smallHeap
    ? ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
    : ['-Xms256m', '-Xmx512m', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'];
}

/**
 * Starts Kafka; formats its storage at the first start.
 * @throws StackError
 */
export async function startKafka(options: KafkaOptions): Promise<ServerHandle> {
  const home = join(options.dir, 'kafka');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const config = join(home, 'server.properties');
  const log4j = join(home, 'log4j2.properties');
  writeFileSync(config, kafkaProperties(options), { mode: 0o600 });
  writeFileSync(log4j, LOG4J, { mode: 0o600 });
  await formatOnce(home, config, options);
  const archive = new ClassArchive(options.libs);
  const server = new ManagedProcess({
    name: 'kafka',
    port: options.port,
    url: `127.0.0.1:${options.advertisedPort ?? options.port}`,
    logPath: join(options.dir, 'logs', 'kafka.log'),
    abort: options.abort,
    onUnexpectedExit: options.onUnexpectedExit,
    onExit: (exit) => archive.settle(exit),
    readyTimeoutMs: READY_TIMEOUT_MS,
    probe: () => kafkaAnswers(options.port),
    spec: () => ({
      command: javaCommand(),
      args: [
        ...kafkaJvmFlags(options.smallHeap ?? false),
        ...archive.flags(),
        `-Dlog4j2.configurationFile=${log4j}`,
        '-cp',
        join(options.libs, '*'),
        'kafka.Kafka',
        config,
      ],
      env: process.env,
      stopSignal: 'SIGTERM',
    }),
  });
  await server.start();
  return server;
}

/** A cluster id as Kafka makes them: 16 random bytes, base64url, not beginning with a dash. */
export function newClusterId(random: (bytes: number) => Buffer = randomBytes): string {
  for (;;) {
    const id = random(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

async function formatOnce(
  home: string,
  config: string,
  { libs, abort, model }: KafkaOptions,
): Promise<void> {
  const data = join(home, 'log');
  if (existsSync(join(data, 'meta.properties'))) return;
  rmSync(data, { recursive: true, force: true });
  if (model !== undefined) return copyFolder(model, data, abort);
  const idFile = join(home, 'cluster-id');
  if (!existsSync(idFile)) writeFileSync(idFile, newClusterId(), { mode: 0o600 });
  const result = await runProgram(
    javaCommand(),
    [
      '-Xmx128m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      ...new ClassArchive(libs).useFlags(),
      '-cp',
      join(libs, '*'),
      'kafka.tools.StorageTool',
      'format',
      '-t',
      readFileSync(idFile, 'utf8').trim(),
      '-c',
      config,
    ],
    { abort, writesData: true },
  );
  if (result.code === 0) return;
  rmSync(data, { recursive: true, force: true });
  throw new StackError(`Kafka's storage could not be formatted: ${result.output.trim()}`);
}
