import { SOCKET_PATH } from '@tidings/protocol/http';
import { StackError } from './paths';

/** The four applications, in the order of their default admin ports. */
export const SERVICES = ['gateway', 'session', 'presence', 'storage'] as const;
/** One of the four applications. */
export type ServiceName = (typeof SERVICES)[number];
/** How many instances of each service. */
export type ServiceCounts = Record<ServiceName, number>;
/** What runs when nothing else is said. */
export const DEFAULT_COUNTS: ServiceCounts = { gateway: 2, session: 1, presence: 1, storage: 1 };

/** One instance: `gateway-1`, `session-2`, … */
export interface PlannedNode {
  id: string;
  service: ServiceName;
  port: number;
  /** `http://127.0.0.1:<port>` */
  url: string;
}

/** Where the default ports begin. */
export interface PortBases {
  gateway: number;
  admin: number;
}

const ADMIN_SERVICES = ['session', 'presence', 'storage'] as const;

function countFrom(value: string | undefined, name: string, fallback: number): number {
  if (value === undefined || value === '') return fallback;
  const port = Number(value);
  if (Number.isInteger(port) && port > 0 && port < 65_000) return port;
  throw new StackError(`${name} must be a port number, not "${value}".`);
}

/** Bases from GATEWAY_PORT (8080) and ADMIN_PORT_BASE (8090). */
export function portBases(env: NodeJS.ProcessEnv): PortBases {
  return {
    gateway: countFrom(env.GATEWAY_PORT, 'GATEWAY_PORT', 8080),
    admin: countFrom(env.ADMIN_PORT_BASE, 'ADMIN_PORT_BASE', 8090),
  };
}

/** All instances in a fixed order: gateways, then the first of every other service, then the second ones, … */
export function nodeNames(counts: ServiceCounts): { id: string; service: ServiceName }[] {
  const names: { id: string; service: ServiceName }[] = [];
  const add = (service: ServiceName, number: number): void => {
    if (number <= counts[service]) names.push({ id: `${service}-${number}`, service });
  };
  for (let number = 1; number <= counts.gateway; number++) add('gateway', number);
  const most = Math.max(...ADMIN_SERVICES.map((service) => counts[service]));
  for (let number = 1; number <= most; number++) {
    for (const service of ADMIN_SERVICES) add(service, number);
  }
  return names;
}

/**
 * Gives every instance a port: gateways upward from the one base, the rest upward from the other. The first session,
 * presence and storage keep base, base + 1, base + 2 whatever runs beside them.
 * @throws StackError when the two ranges meet.
 */
export function defaultPorts(counts: ServiceCounts, bases: PortBases): PlannedNode[] {
  let gateways = 0;
  let others = ADMIN_SERVICES.length;
  const nodes = nodeNames(counts).map(({ id, service }) => {
    if (service === 'gateway') return planned(id, service, bases.gateway + gateways++);
    const first = id === `${service}-1`;
    const offset = first ? ADMIN_SERVICES.indexOf(service) : others++;
    return planned(id, service, bases.admin + offset);
  });
  const ports = new Set(nodes.map((node) => node.port));
  if (ports.size === nodes.length) return nodes;
  throw new StackError(
    `${counts.gateway} gateways from port ${bases.gateway} would run into the other services' ports from ${bases.admin}: ` +
      'set ADMIN_PORT_BASE further up.',
  );
}

/** Gives the instances these ports, in the order of `nodeNames`. */
export function givenPorts(counts: ServiceCounts, ports: readonly number[]): PlannedNode[] {
  return nodeNames(counts).map(({ id, service }, index) => planned(id, service, ports[index] ?? 0));
}

function planned(id: string, service: ServiceName, port: number): PlannedNode {
  return { id, service, port, url: `http://127.0.0.1:${port}` };
}

/** What all services of a stack share. */
export interface SharedSettings {
  brokers: string | undefined;
  redisUrl: string | undefined;
  databaseUrl: string | undefined;
  jwtSecret: string;
  clusterSecret: string;
}

/** The environment variables of one instance. */
export function nodeEnvironment(
  node: PlannedNode,
  all: readonly PlannedNode[],
  shared: SharedSettings,
): Record<string, string> {
  const urls = (service: ServiceName): string =>
    all
      .filter((other) => other.service === service)
      .map((other) => other.url)
      .join(',');
  const usesDatabase = node.service === 'storage' || node.service === 'presence';
  const values: Record<string, string | undefined> = {
    NODE_ENV: 'development',
    NODE_ID: node.id,
    HOST: '127.0.0.1',
    PORT: String(node.port),
    PUBLIC_URL:
      node.service === 'gateway' ? `ws://127.0.0.1:${node.port}${SOCKET_PATH}` : undefined,
    KAFKA_BROKERS: shared.brokers,
    REDIS_URL: shared.redisUrl,
    DATABASE_URL: usesDatabase ? shared.databaseUrl : undefined,
    STORAGE_URLS: urls('storage'),
    PRESENCE_URLS: urls('presence'),
    JWT_SECRET: shared.jwtSecret,
    CLUSTER_SECRET: shared.clusterSecret,
  };
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
