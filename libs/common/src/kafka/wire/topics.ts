import type { Admin, ITopicMetadata } from 'kafkajs';
import type { z } from 'zod';
import { topicSpecs, type TopicSpec } from '../../log-events/topics';
import type { kafkaEnv } from '../../runtime/env';
import type { KafkaClient } from './client';
import { type Awaiting, pause } from '../../runtime/waiting';

/** A topic that cannot be used: missing, or created with another partition count. */
export class TopicMismatchError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TopicMismatchError';
  }
}

/** Options of a check; times in milliseconds. */
export interface CheckOptions {
  /** How long topics may be missing, or brokers in trouble; default 30 000. */
  timeoutMs?: number;
  /**
   * Waits for as long as no broker answers, until this is aborted; the time counts from the first
   * answer. For services: they are not ready meanwhile, and no outage of Kafka ends one.
   */
  waitUntil?: AbortSignal;
  /** Told at each try why it waits. */
  awaiting?: Awaiting;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 1_000;
/** Without an address: of several brokers another one is asked at each try. */
const NO_BROKER = 'no broker of Kafka answers';

/** All topics, as the settings of a service want them. */
export function specsOf(env: z.output<typeof kafkaEnv>): TopicSpec[] {
  return topicSpecs({
    partitions: env.KAFKA_PARTITIONS,
    replication: env.KAFKA_REPLICATION,
    minInsyncReplicas: env.KAFKA_MIN_INSYNC,
  });
}

/**
 * Creates missing topics and leaves existing ones as they are. Safe to run in several places at
 * once. Throws {@link TopicMismatchError} when an existing topic has another partition count (keys
 * would move to other partitions), and the last error when Kafka does not answer in time.
 */
export async function ensureTopics(
  kafka: KafkaClient,
  specs: readonly TopicSpec[],
  options: { timeoutMs?: number } = {},
): Promise<void> {
  await withAdmin(kafka, options, async (admin) => {
    const existing = new Set(await admin.listTopics());
    const missing = specs.filter((spec) => !existing.has(spec.name));
    if (missing.length > 0) await create(admin, missing);
    await compare(admin, specs);
  });
}

/**
 * Checks that all topics exist with the expected partition counts, without creating any. Waits for
 * missing topics up to `timeoutMs` (default 30 s). A wrong partition count fails at once.
 */
export async function checkTopics(
  kafka: KafkaClient,
  specs: readonly TopicSpec[],
  options: CheckOptions = {},
): Promise<void> {
  await withAdmin(kafka, options, async (admin) => {
    const existing = new Set(await admin.listTopics());
    const missing = specs.find((spec) => !existing.has(spec.name));
    if (missing) throw new Error(`topic ${missing.name} does not exist; create the topics first`);
    await compare(admin, specs);
  });
}

async function create(admin: Admin, specs: readonly TopicSpec[]): Promise<void> {
  try {
    await admin.createTopics({
      waitForLeaders: true,
      topics: specs.map((spec) => ({
        topic: spec.name,
        numPartitions: spec.partitions,
        replicationFactor: spec.replication,
        configEntries: Object.entries(spec.config).map(([name, value]) => ({ name, value })),
      })),
    });
  } catch (error) {
    if (!onlyTypes(error, ['TOPIC_ALREADY_EXISTS'])) throw error;
  }
}

async function compare(admin: Admin, specs: readonly TopicSpec[]): Promise<void> {
  const { topics } = await admin.fetchTopicMetadata({ topics: specs.map((spec) => spec.name) });
  const byName = new Map<string, ITopicMetadata>(topics.map((topic) => [topic.name, topic]));
  for (const { name, partitions } of specs) {
    const actual = byName.get(name)?.partitions.length ?? 0;
    if (actual !== partitions) {
      throw new TopicMismatchError(
        `topic ${name} has ${actual} partitions, but ${partitions} are configured; ` +
          'a partition count is fixed at creation because the key decides the partition',
      );
    }
  }
}

/** Runs `work` until it succeeds, fails for good, or time is up. */
async function withAdmin(
  kafka: KafkaClient,
  { timeoutMs = DEFAULT_TIMEOUT_MS, waitUntil, awaiting }: CheckOptions,
  work: (admin: Admin) => Promise<void>,
): Promise<void> {
  let deadline = performance.now() + timeoutMs;
  for (let waitMs = FIRST_PAUSE_MS; ; waitMs = Math.min(waitMs * 2, MAX_PAUSE_MS)) {
    const admin = kafka.instance({ retries: 0 }).admin();
    try {
      await admin.connect();
      await work(admin);
      awaiting?.(null);
      return;
    } catch (error) {
      if (isFinal(error)) throw error;
      const silent = isUnreachable(error);
      awaiting?.(silent ? NO_BROKER : (error as Error).message);
      if (waitUntil && silent) {
        deadline = performance.now() + timeoutMs;
      } else if (performance.now() + waitMs > deadline) throw error;
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
    await pause(waitMs, undefined, { signal: waitUntil }).catch(() => undefined);
    if (waitUntil?.aborted) throw new Error('stopped while waiting for Kafka');
  }
}

/** Errors that a retry cannot resolve. */
const FINAL_TYPES = [
  'INVALID_REPLICATION_FACTOR',
  'INVALID_PARTITIONS',
  'INVALID_CONFIG',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
];

function isFinal(error: unknown): boolean {
  return error instanceof TopicMismatchError || types(error).some((t) => FINAL_TYPES.includes(t));
}

function onlyTypes(error: unknown, allowed: string[]): boolean {
  const found = types(error);
  return found.length > 0 && found.every((type) => allowed.includes(type));
}

/** What kafkajs throws when nobody answers at the other end. */
const UNREACHABLE = [
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSLockTimeout',
];

function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return UNREACHABLE.includes(error.name) || isUnreachable(error.cause);
}

/** Kafka error types in an error, its causes and its parts. */
function types(error: unknown): string[] {
  if (typeof error !== 'object' || error === null) return [];
  const { type, cause, errors } = error as { type?: unknown; cause?: unknown; errors?: unknown };
  if (Array.isArray(errors)) return errors.flatMap(types);
  return typeof type === 'string' ? [type] : types(cause);
}
