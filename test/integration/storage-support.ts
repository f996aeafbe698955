import { createHash, randomBytes } from 'node:crypto';
import { Client, type QueryResultRow } from 'pg';
import { contentHashText } from '@tidings/protocol/content';
import {
  EVENT_TYPES,
  type MessageChanged,
  type MessageSent,
} from '@tidings/common/log-events/events';
import { TidingsError } from '@tidings/protocol/errors';
import { syncedBody, type SyncedBody } from '@tidings/protocol/frames';
import { type RpcInput, STORAGE_RPC } from '@tidings/common/rpc/calls';
import { TOPICS } from '@tidings/common/log-events/topics';
import { createKafka, type KafkaClient } from '@tidings/common/kafka/wire/client';
import { LogWriter, type AppendResult } from '@tidings/common/kafka/writer/log-writer';
import { Watermarks } from '@tidings/common/kafka/offsets/watermarks';
import { Readiness } from '@tidings/common/runtime/health';
import { Lifecycle } from '@tidings/common/runtime/lifecycle';
import { createLogger, type Logger } from '@tidings/common/runtime/logger';
import { Metrics } from '@tidings/common/runtime/metrics';
import { RpcClient } from '@tidings/common/rpc/rpc-client';
import { uuidv7 } from 'uuidv7';
import { prepare } from '../../apps/storage/src/prepare';
import { Storage } from '../../apps/storage/src/storage';
import { storageEnv, toolEnv } from '../../apps/storage/src/storage.env';
import { type Servers, startServers, type ServersOptions } from '../../tools/stack/servers';
import { eventually } from '../support/eventually';

const SECRET = 'a cluster secret of the integration tests';
/** Fewer than by default: tests meet every partition sooner. */
export const PARTITIONS = 4;

export type StorageRpc = RpcClient<typeof STORAGE_RPC>;

/** The bodies of a sync's answer; asked for again, five times in all, when storage was too slow. */
export async function synced(
  rpc: StorageRpc,
  input: RpcInput<typeof STORAGE_RPC, 'sync'>,
): Promise<SyncedBody[]> {
  const { bodies } = await answered(() => rpc.call('sync', input, { timeoutMs: 30_000 }));
  return bodies.map((pieces) =>
    syncedBody.strict().parse(JSON.parse(Buffer.concat(pieces).toString('utf8'))),
  );
}

/** Makes a call again while storage is too slow, five times in all. */
async function answered<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (error) {
      const slow = error instanceof TidingsError && error.code === 'unavailable';
      if (!slow || tries === 5) throw error;
    }
  }
}

/** One storage process' parts, running inside the test. */
export interface RunningStorage {
  nodeId: string;
  rpc: StorageRpc;
  readiness: Readiness;
  metrics: Metrics;
  /** Set when the process would have ended itself. */
  fatal: Error | null;
  stop(): Promise<void>;
}

/** Real servers, prepared, with instances of storage as the test needs them. */
export class StorageFixture {
  readonly kafka: KafkaClient;
  private readonly logger: Logger;
  private readonly instances: RunningStorage[] = [];
  private sql: Client | null = null;
  private writer: LogWriter | null = null;
  private marks: Watermarks | null = null;

  private constructor(readonly servers: Servers) {
    this.logger = createLogger({ service: 'test', nodeId: 'test', level: logLevel() });
    this.kafka = createKafka({ brokers: [servers.brokers], clientId: 'test' });
  }

  /** Starts the servers and makes schema, topics and progress rows. */
  static async start(options: ServersOptions = {}): Promise<StorageFixture> {
    const fixture = new StorageFixture(await startServers(options));
    try {
      await fixture.prepare();
      return fixture;
    } catch (error) {
      await fixture.stop();
      throw error;
    }
  }

  /** Runs storage's `prepare` command. */
  async prepare(partitions = PARTITIONS): Promise<void> {
    const env = toolEnv.parse({
      ...this.environment('storage-tool'),
      KAFKA_PARTITIONS: partitions,
    });
    await prepare(env, this.logger);
  }

  /** Starts an instance and waits until it is ready. */
  async storage(nodeId: string, more: Record<string, string> = {}): Promise<RunningStorage> {
    const env = storageEnv.parse({ ...this.environment(nodeId), ...more });
    const logger = createLogger({ service: 'storage', nodeId, level: logLevel() });
    const metrics = new Metrics({ service: 'storage', node: nodeId });
    const readiness = new Readiness();
    const lifecycle = new Lifecycle(logger);
    const onFatal = (error: Error): void => void (instance.fatal ??= error);
    const storage = new Storage({ env, logger, metrics, readiness, onFatal });
    let rpc: StorageRpc | null = null;
    const instance: RunningStorage = {
      nodeId,
      readiness,
      metrics,
      fatal: null,
      get rpc() {
        return rpc!;
      },
      stop: async () => {
        readiness.set(false);
        rpc?.close();
        await lifecycle.stop();
      },
    };
    this.instances.push(instance);
    await lifecycle.start(storage.steps());
    readiness.set(true);
    rpc = new RpcClient(STORAGE_RPC, {
      urls: [storage.url],
      nodeId: 'test',
      secret: SECRET,
    });
    await eventually(() => {
      const problems = readiness.problems();
      if (Object.keys(problems).length > 0) throw new Error(JSON.stringify(problems));
    });
    return instance;
  }

  /** Rows of a statement over the test's own connection. */
  async rows<R extends QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> {
    if (!this.sql) {
      this.sql = new Client({ connectionString: this.servers.databaseUrl });
      this.sql.on('error', () => (this.sql = null));
      await this.sql.connect();
    }
    return (await this.sql.query<R>(text, values)).rows;
  }

  /** The test's own writer to the conversation log. */
  async log(): Promise<LogWriter> {
    if (!this.writer) {
      const topic = TOPICS.messages;
      const { kafka } = this;
      this.writer = new LogWriter({
        kafka,
        topic,
        partitions: PARTITIONS,
        source: 'test',
        epoch: 1,
      });
      await this.writer.start();
    }
    return this.writer;
  }

  /** Appends messages in their order; returns their positions. */
  async append(messages: readonly MessageSent[]): Promise<string[]> {
    const log = await this.log();
    return Promise.all(messages.map((message) => appendOne(log, message)));
  }

  /** Appends edits and deletions in their order; returns their positions. */
  async appendChanges(changes: readonly MessageChanged[]): Promise<string[]> {
    const log = await this.log();
    return Promise.all(
      changes.map((change) =>
        appendRecord(log, EVENT_TYPES.messageChanged, change.changeId, change),
      ),
    );
  }

  /** The read barrier, as a gateway takes it. */
  async barrier(): Promise<(string | null)[]> {
    if (!this.marks) {
      this.marks = new Watermarks(this.kafka, TOPICS.messages);
      await this.marks.start();
    }
    return (await this.marks.barrier()).map((offset) => (offset === null ? null : String(offset)));
  }

  async stop(): Promise<void> {
    await Promise.all(this.instances.map((one) => one.stop()));
    await this.writer?.stop({ flushMs: 1_000 });
    this.marks?.stop();
    await this.sql?.end().catch(() => undefined);
    await this.servers.stop();
  }

  private environment(nodeId: string): Record<string, string> {
    return {
      NODE_ENV: 'test',
      NODE_ID: nodeId,
      HOST: '127.0.0.1',
      PORT: '0',
      LOG_LEVEL: logLevel(),
      CLUSTER_SECRET: SECRET,
      KAFKA_BROKERS: this.servers.brokers,
      KAFKA_PARTITIONS: String(PARTITIONS),
      REDIS_URL: this.servers.redisUrl,
      DATABASE_URL: this.servers.databaseUrl,
    };
  }
}

function logLevel(): string {
  return process.env['TEST_LOG_LEVEL'] ?? 'silent';
}

function appendOne(log: LogWriter, message: MessageSent): Promise<string> {
  return appendRecord(log, EVENT_TYPES.messageSent, message.messageId, message);
}

async function appendRecord(
  log: LogWriter,
  type: string,
  id: string,
  value: { conversationId: string; sentAt: string },
): Promise<string> {
  const result = await new Promise<AppendResult>((resolve, reject) => {
    const record = {
      key: value.conversationId,
      type,
      id,
      time: value.sentAt,
      value: JSON.stringify(value),
    };
    if (!log.append(record, resolve)) reject(new Error('busy'));
  });
  if (!result.ok) throw new Error(result.reason);
  return String(result.offset + 1n);
}

/** A message as a gateway would append it. */
export function messageOf(
  conversationId: string,
  senderId: string,
  text: string,
  extra: Partial<MessageSent> = {},
): MessageSent {
  const content = { kind: 'text' as const, text };
  const hash = createHash('sha256').update(contentHashText(content)).digest();
  return {
    conversationId,
    senderId,
    content,
    messageId: uuidv7(),
    deviceId: uuidv7(),
    contentHash: hash.subarray(0, 16).toString('base64url'),
    sentAt: new Date().toISOString(),
    ...extra,
  };
}

/** A change as a gateway would append it: an edit, or with `text` null a deletion. */
export function changeOf(
  message: MessageSent,
  position: string,
  text: string | null,
  extra: Partial<MessageChanged> = {},
): MessageChanged {
  const { conversationId, messageId, senderId, sentAt } = message;
  return {
    conversationId,
    messageId,
    senderId,
    sentAt,
    position,
    changeId: uuidv7(),
    userId: senderId,
    deviceId: uuidv7(),
    changeHash: createHash('sha256').update(`${text}`).digest('base64url').slice(0, 22),
    content: text === null ? { kind: 'deleted' } : { kind: 'text', text },
    ...extra,
  };
}

/** A user whom nobody else has. */
export interface TestUser {
  id: string;
  username: string;
  password: string;
}

/** Registers a new user. */
export async function newUser(rpc: StorageRpc, name = 'user'): Promise<TestUser> {
  const username = `${name}-${randomBytes(4).toString('hex')}`;
  const user = { id: uuidv7(), username, password: 'correct staple, battery horse' };
  const account = { firstName: name, email: `${username}@example.org` };
  const input = { userId: user.id, username, password: user.password, ...account };
  await answered(() => rpc.call('accounts.register', input, { timeoutMs: 10_000 }));
  return user;
}

/** The code that a call is refused with. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}
