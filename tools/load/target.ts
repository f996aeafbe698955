import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StackError, dataDir, projectRoot } from '../stack/paths';
import { removeSharedPlace } from '../stack/server-user';
import { type Stack, type StackOptions, startStack } from '../stack/stack';
import { readStackFile } from '../stack/stack-file';
import type { LoadOptions } from './args';
import type { WatchedProcess } from './processes';

/** One service instance of the stack under load. */
export interface TargetNode {
  id: string;
  service: string;
  /** `http://127.0.0.1:<port>` */
  url: string;
  pid: number;
}

/** The stack under load. */
export interface Target {
  brokers: string;
  redisUrl: string;
  databaseUrl: string;
  jwtSecret: string;
  /** Kafka's folder of partitions on this machine; null: it is elsewhere */
  logDir: string | null;
  /** base addresses of the gateways that the load goes to */
  gateways: string[];
  nodes: TargetNode[];
  /** Starts its services anew, and stops them; null: they belong to somebody else and run all the time. */
  services: { startAnew(): Promise<void>; stop(): Promise<void> } | null;
  /** Kafka, Redis and PostgreSQL, as far as they are the stack's own */
  servers: WatchedProcess[];
  /** what it is, for the report */
  description: string;
  /** Stops what was started for this measurement. Never rejects. */
  stop(): Promise<void>;
}

/** The gateways' limits, switched off. */
const NO_LIMITS = {
  RATE_LIMITS: 'off',
  HTTP_RATE_PER_MINUTE: '0',
  AUTH_RATE_PER_MINUTE: '0',
  ADDRESS_CONNECTIONS: '0',
  CONNECT_RATE_PER_SECOND: '0',
};

/**
 * The running stack, or one of its own for the time of the measurement, with so many gateways (null: as usual).
 * @throws StackError when no stack runs.
 */
export async function openTarget(
  options: LoadOptions,
  gateways: number | null,
  log: (line: string) => void,
  abort: AbortSignal,
): Promise<Target> {
  const target = options.ownStack
    ? await ownStack(servicesFor(options, gateways), log, abort)
    : runningStack();
  if (options.subjects.length > 1 && !target.services) {
    target.description +=
      ', the product idles beside the bare pipeline (its CPU is in "other programs"; not so with --own-stack)';
  }
  if (options.gateways) target.gateways = options.gateways;
  return target;
}

function runningStack(): Target {
  const file = readStackFile(dataDir());
  if (!file) {
    throw new StackError(
      'No stack of this checkout is running: start it with `npm start` in another terminal, or add --own-stack.',
    );
  }
  const { brokers, redisUrl, databaseUrl, jwtSecret, gateways, nodes, servers } = file;
  return {
    brokers,
    redisUrl,
    databaseUrl,
    jwtSecret,
    logDir: logDirOf(dataDir(), servers.kafka !== undefined),
    gateways,
    nodes,
    services: null,
    servers: Object.entries(servers).map(([name, pid]) => ({ name, pid })),
    description: `running stack (since ${file.startedAt})${limitsText(nodes)}`,
    stop: () => Promise.resolve(),
  };
}

function logDirOf(dir: string, ownKafka: boolean): string | null {
  return ownKafka ? join(dir, 'kafka', 'log') : null;
}

/** Says so when a gateway was started with its limits on. */
function limitsText(nodes: readonly TargetNode[]): string {
  const off = Object.entries(NO_LIMITS).map(([name, value]) => `${name}=${value}`);
  const limited = nodes.filter(({ service, pid }) => {
    if (service !== 'gateway') return false;
    const environment = environmentOf(pid);
    return !off.every((setting) => environment.includes(setting));
  });
  if (limited.length === 0) return '';
  return `, RATE LIMITS ON in ${limited.map(({ id }) => id).join(', ')} (start the stack with ${off.join(' ')} to switch them off)`;
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Instances of a stack of our own: none for the bare pipeline; undefined: as usual. */
function servicesFor({ subjects }: LoadOptions, gateways: number | null): StackOptions['services'] {
  if (!subjects.includes('product')) return { gateway: 0, session: 0, presence: 0, storage: 0 };
  return gateways === null ? undefined : { gateway: gateways };
}

async function ownStack(
  services: StackOptions['services'],
  log: (line: string) => void,
  abort: AbortSignal,
): Promise<Target> {
  const dir = mkdtempSync(join(tmpdir(), 'tidings-load-'));
  const remove = (): void => {
    removeSharedPlace(dir);
    rmSync(dir, { recursive: true, force: true });
  };
  const options: StackOptions = {
    dir,
    ports: 'free',
    // measured as in use: fsync, a normal heap and all of the compiler
    forTests: false,
    env: NO_LIMITS,
    services,
    distDir: join(projectRoot(), 'dist'),
    log,
    abort,
  };
  let stack: Stack;
  try {
    stack = await startStack(options);
  } catch (error) {
    remove();
    throw error;
  }
  const { brokers, redisUrl, databaseUrl, jwtSecret, gatewayUrls, kafka, redis, postgres } = stack;
  return {
    brokers,
    redisUrl,
    databaseUrl,
    jwtSecret,
    logDir: logDirOf(dir, true),
    gateways: gatewayUrls,
    nodes: Object.values(stack.nodes),
    services: servicesOf(stack),
    servers: [kafka, redis, postgres].map(({ name, pid }) => ({ name, pid })),
    description: 'own stack, rate limits off',
    stop: async () => {
      await stack.stop();
      remove();
    },
  };
}

/** The services of a stack of our own. What gateways still hold has to find the others when they stop. */
function servicesOf(stack: Stack): NonNullable<Target['services']> {
  const nodes = Object.values(stack.nodes);
  const gateways = nodes.filter(({ service }) => service === 'gateway');
  const others = nodes.filter(({ service }) => service !== 'gateway');
  const stop = async (): Promise<void> => {
    await Promise.all(gateways.map((node) => node.stop()));
    await Promise.all(others.map((node) => node.stop()));
  };
  return {
    stop,
    startAnew: async () => {
      await stop();
      await Promise.all(nodes.map((node) => node.restart()));
    },
  };
}
