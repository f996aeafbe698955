import { connect } from 'node:net';
import { letHeapGrow } from '@tidings/common/runtime/heap-growth';
import { Kafka, logLevel } from 'kafkajs';

/** Where the bare pipeline lives: names of its own on the same servers. */
export interface Topology {
  brokers: string[];
  redisUrl: string;
  databaseUrl: string;
  topic: string;
  partitions: number;
  /** Redis hash: user → number of its gateway */
  routes: string;
  /** Redis stream of gateway n: this and n */
  inbox: string;
  /** tables of the archive */
  messagesTable: string;
  progressTable: string;
  /** consumer groups */
  routerGroup: string;
  inserterGroup: string;
}

/** What one of its processes is started with, and what it tells when it is ready. */
export interface ProcessStart {
  topology: Topology;
  /** number of a gateway */
  gateway: number;
}
export interface ProcessReady {
  /** `ws://127.0.0.1:<port>` of a gateway */
  url?: string;
}

/** Entries that an inbox holds at most, about. */
export const INBOX_ENTRIES = 100_000;

/** The two users of a conversation are its id. */
export function conversationOf(first: string, second: string): string {
  return `${first}-${second}`;
}

/** The users of a conversation. */
export function membersOf(conversationId: string): string[] {
  return conversationId.split('-');
}

const CONNECT_TIMEOUT_MS = 3000;

/** kafkajs with Nagle's algorithm off; nothing else is changed. */
export function kafkaClient(topology: Topology, clientId: string): Kafka {
  return new Kafka({
    clientId,
    brokers: topology.brokers,
    logLevel: logLevel.NOTHING,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    socketFactory: ({ host, port, onConnect }) => connect({ host, port, noDelay: true }, onConnect),
  });
}

/** A started process of the pipeline. */
export interface Started {
  ready: ProcessReady;
  /** ends it properly */
  stop: () => Promise<void>;
}

/** Runs a process of the pipeline: waits for its start message, tells when ready, ends at SIGTERM or with its parent. */
export function runProcess(start: (given: ProcessStart) => Promise<Started>): void {
  const failed = (error: unknown): never => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  };
  // as the services do
  letHeapGrow();
  process.once('message', (given: ProcessStart) => {
    start(given).then(({ ready, stop }) => {
      process.once('SIGTERM', () => void stop().then(() => process.exit(0), failed));
      process.send?.(ready);
    }, failed);
  });
  process.on('disconnect', () => process.exit(0));
}
