import { STORAGE_RPC, type ConversationRouting } from '@tidings/common/rpc/calls';
import { EVENT_TYPES } from '@tidings/common/log-events/events';
import type { ConversationKind } from '@tidings/protocol/content';
import { TidingsError } from '@tidings/protocol/errors';
import { TOPICS } from '@tidings/common/log-events/topics';
import type { KafkaClient } from '@tidings/common/kafka/wire/client';
import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import { createRedis, redisReady, type RedisClient } from '@tidings/common/redis/client';
import { Inbox } from '@tidings/common/redis/inbox';
import { KEYS } from '@tidings/common/redis/keys';
import { decodeInbox } from '@tidings/common/redis/inbox-codec';
import { Routes, type Route } from '@tidings/common/redis/routes';
import { Defects } from '@tidings/common/runtime/defects';
import { Readiness } from '@tidings/common/runtime/health';
import { InnerListener } from '@tidings/common/runtime/inner-listener';
import { Metrics } from '@tidings/common/runtime/metrics';
import { answerCalls } from '@tidings/common/rpc/rpc-server';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { pino } from 'pino';

export const SECRET = 'a-secret-for-this-test-run-only';
export const silent = pino({ level: 'silent' });

/** A conversation of a test. */
export interface Talk {
  id: string;
  kind: ConversationKind;
  users: string[];
  /** Positions of its first appends, in order. */
  positions: bigint[];
}

/** Makes a conversation with these members; its records are still to be appended. */
export function talk(users: string[], kind: ConversationKind = 'direct'): Talk {
  return { id: randomBytes(32).toString('base64url'), kind, users, positions: [] };
}

/** Answers session's two calls from what a test has appended, over the real internal interface. */
export class FakeStorage {
  readonly talks = new Map<string, Talk>();
  /** Next offset that "storage" will apply, per partition; null: everything. */
  applied: bigint[] | null = null;
  away = false;
  asked = 0;
  url = '';
  private listener: InnerListener | null = null;

  constructor(private readonly bases: readonly bigint[]) {}

  async start(): Promise<void> {
    const table = {
      'log.state': STORAGE_RPC['log.state'],
      'conversations.routing': STORAGE_RPC['conversations.routing'],
    };
    const metrics = new Metrics({ service: 'storage', node: 'storage-1' });
    const calls = answerCalls({
      table,
      nodeId: 'storage-1',
      secret: SECRET,
      logger: silent,
      metrics,
      handlers: {
        'log.state': async () => ({
          epoch: 1,
          bases: this.bases.map(String),
          applied: this.appliedNow(),
        }),
        'conversations.routing': async ({ conversations }) => {
          this.asked += conversations.length;
          if (this.away) throw new TidingsError('unavailable');
          const items = conversations.flatMap(({ conversationId, below }) => {
            const found = this.talks.get(conversationId);
            return found ? [this.routing(found, below)] : [];
          });
          return { items, applied: this.appliedNow() };
        },
      },
    });
    const health = { readiness: new Readiness(), metrics };
    const defects = new Defects(silent, metrics);
    const at = { host: '127.0.0.1', port: 0 };
    this.listener = await InnerListener.open(at, { health, defects, calls });
    this.url = this.listener.url;
  }

  async stop(): Promise<void> {
    await this.listener?.close();
  }

  private appliedNow(): string[] {
    return this.bases.map((_, partition) => String(this.applied?.[partition] ?? 1_000_000_000n));
  }

  private routing(found: Talk, below: string | undefined): ConversationRouting {
    const limit = below === undefined ? null : BigInt(below);
    const last = found.positions.filter((p) => limit === null || p < limit).at(-1) ?? 0n;
    return {
      conversationId: found.id,
      kind: found.kind,
      version: 1,
      members: found.users.map((userId) => ({ userId, from: '0', until: null })),
      lastPosition: String(last),
    };
  }
}

/** A message as it was appended. */
export interface Appended {
  messageId: string;
  position: bigint;
}

/** Appends what gateways and storage would append. */
export class Author {
  private readonly writer: LogWriter;

  constructor(
    kafka: KafkaClient,
    private readonly partitions: number,
    private readonly bases: readonly bigint[],
    epoch = 1,
  ) {
    this.writer = new LogWriter({
      kafka,
      topic: TOPICS.messages,
      partitions,
      source: 'author',
      epoch,
    });
  }

  start(): Promise<void> {
    return this.writer.start();
  }

  stop(): Promise<void> {
    return this.writer.stop({ flushMs: 2_000 });
  }

  /** Partition of a conversation. */
  partition(of: Talk): number {
    return partitionOf(of.id, this.partitions);
  }

  /** Appends the creation of a conversation. */
  async create(of: Talk): Promise<bigint> {
    const value = {
      conversationId: of.id,
      messageId: randomUUID(),
      senderId: of.users[0],
      sentAt: new Date().toISOString(),
      version: 1,
      kind: of.kind,
      members: of.users,
      change: { kind: 'created', conversationKind: of.kind, userIds: of.users },
    };
    const position = await this.append(of.id, EVENT_TYPES.conversationChanged, value);
    of.positions.push(position);
    return position;
  }

  /** Appends a message; with `id` given it may be a repeated one, which the talk does not count. */
  async send(
    of: Talk,
    senderId: string,
    text: string,
    options: { id?: string; deviceId?: string; repeated?: boolean } = {},
  ): Promise<Appended> {
    const messageId = options.id ?? randomUUID();
    const value = {
      conversationId: of.id,
      messageId,
      senderId,
      deviceId: options.deviceId ?? randomUUID(),
      content: { kind: 'text', text },
      contentHash: createHash('sha256').update(text).digest('base64url').slice(0, 22),
      sentAt: new Date().toISOString(),
    };
    const again = options.repeated === true;
    const position = await this.append(of.id, EVENT_TYPES.messageSent, value, again);
    if (!again) of.positions.push(position);
    return { messageId, position };
  }

  /** Appends any value under a conversation's key. */
  append(key: string, type: string, value: unknown, again = false): Promise<bigint> {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    const time = new Date().toISOString();
    // as gateways and storage do: the record is named by what it carries
    const { messageId: id = randomUUID() } = (value ?? {}) as { messageId?: string };
    return new Promise((resolve, reject) => {
      const taken = this.writer.append(
        { key, type, id, time, value: text },
        (result) => {
          if (result.ok) resolve(this.bases[result.partition]! + result.offset);
          else reject(new Error(result.reason));
        },
        { again },
      );
      if (!taken) reject(new Error('busy'));
    });
  }
}

/** A frame that a device was pushed. */
export type Frame = Record<string, unknown> & { type: string };

/** A gateway box without sockets: a real inbox, real routes, and what each connection was handed. */
export class FakeGateway {
  readonly frames = new Map<string, Frame[]>();
  holes = 0;
  private readonly client: RedisClient;
  private readonly blocking: RedisClient;
  private readonly routes: Routes;
  private inbox: Inbox | null = null;
  private readonly mine = new Map<string, Route>();
  private trimmer: NodeJS.Timeout | undefined;

  constructor(
    redisUrl: string,
    readonly id: string,
    public bootId: string = randomUUID(),
  ) {
    this.client = createRedis(redisUrl, { name: id, log: silent });
    this.blocking = createRedis(redisUrl, { name: `${id}-inbox`, blocking: true, log: silent });
    this.routes = new Routes(this.client);
  }

  async start(): Promise<void> {
    await Promise.all([redisReady(this.client, 5_000), redisReady(this.blocking, 5_000)]);
    await this.open();
    this.trimmer = setInterval(() => void this.inbox?.trim().catch(() => false), 1_000);
  }

  /** Connects a device; returns its connection id. */
  async connect(userId: string, deviceId: string = randomUUID()): Promise<Route> {
    const route: Route = {
      userId,
      deviceId,
      gatewayId: this.id,
      bootId: this.bootId,
      connectionId: randomUUID(),
      generation: String(1_700_000_000_000_000 + this.mine.size),
    };
    this.mine.set(route.connectionId, route);
    this.frames.set(route.connectionId, []);
    await this.routes.put(route);
    return route;
  }

  /** What a gateway does after Redis came back empty: a new boot id and inbox, all routes again. */
  async announceAgain(): Promise<void> {
    await redisReady(this.client, 10_000);
    const old = this.inbox;
    this.bootId = randomUUID();
    await this.open();
    for (const route of this.mine.values()) route.bootId = this.bootId;
    await this.routes.putAll([...this.mine.values()]);
    await old?.close();
  }

  /** Frames of one kind that a connection was handed, in order. */
  got(route: Route, type: string): Frame[] {
    return (this.frames.get(route.connectionId) ?? []).filter((frame) => frame.type === type);
  }

  async stop(): Promise<void> {
    clearInterval(this.trimmer);
    await this.inbox?.close();
    this.client.disconnect();
    this.blocking.disconnect();
  }

  /** Makes the inbox vanish while the routes stay: the box is dead. */
  async forget(redis: RedisClient): Promise<void> {
    await redis.del(KEYS.inbox(this.id, this.bootId), KEYS.inboxCounters(this.id, this.bootId));
  }

  /** The box' own connection. */
  get redis(): RedisClient {
    return this.client;
  }

  private async open(): Promise<void> {
    const inbox = new Inbox(this.client, this.blocking, {
      gatewayId: this.id,
      bootId: this.bootId,
      blockMs: 200,
    });
    await inbox.create();
    this.inbox = inbox;
    void inbox.read({
      onEntry: (payload) => this.take(payload),
      onHole: () => this.holes++,
      onSetAside: (error) => {
        throw error;
      },
      onError: () => undefined,
    });
  }

  private take(payload: Buffer): void {
    const push = (connections: string[], frame: Buffer): void => {
      const parsed = JSON.parse(frame.toString()) as Frame;
      for (const connection of connections) this.frames.get(connection)?.push(parsed);
    };
    decodeInbox(payload, {
      changed: () => undefined,
      push,
      all: () => undefined,
      tells: (_of, connections, frame) => push(connections, frame),
      close: () => undefined,
      presence: () => undefined,
      judge: () => undefined,
    });
  }
}

/**
 * Waits until a fresh broker can coordinate groups: its first seconds are not what is tested here.
 */
export async function coordinatorReady(
  kafka: KafkaClient,
  groupId: string,
  topic: string,
): Promise<void> {
  const offsets = new LogOffsets(kafka);
  await offsets.fetchGroupOffsets(groupId, topic, 60_000);
  offsets.close();
}

/** Waits until a condition holds; throws after `withinMs`. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  withinMs = 30_000,
): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not so within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A device's view after its merge: positions by first sight, in the order they were first handed. */
export function merged(frames: readonly Frame[], conversationId: string): bigint[] {
  const seen = new Set<string>();
  const order: bigint[] = [];
  for (const frame of frames) {
    if (frame['conversationId'] !== conversationId) continue;
    if (frame.type !== 'message' && frame.type !== 'conversation') continue;
    const id = String(frame['messageId']);
    if (seen.has(id)) continue;
    seen.add(id);
    order.push(BigInt(String(frame['position'])));
  }
  return order;
}
