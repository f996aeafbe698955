import type { Socket } from 'node:net';
import { Redis, ReplyError, type RedisOptions as IoRedisOptions } from 'ioredis';
import { fullJitter } from '../runtime/waiting';

/** A connection made by `createRedis`. */
export type RedisClient = Redis;

/** The part of a logger that this folder needs (pino fits). */
export interface RedisLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface RedisOptions {
  /** Shown in `CLIENT LIST` and in log lines. */
  name: string;
  /** For a connection that waits in `XREAD BLOCK`: it may be silent for longer. */
  blocking?: boolean;
  log: RedisLog;
}

/**
 * Redis gave no usable answer: disconnected, silent, starting, read-only or out of memory. The
 * command may or may not have run. The original error is the `cause`.
 */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable';

  constructor(cause: unknown) {
    super(`Redis is unavailable: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** How often a connection is checked, in milliseconds. */
const WATCH_MS = 400;

/**
 * The number of checks in a row at which it may owe answers, with no byte received, before it is
 * cut: 1.2–1.6 s.
 */
const SILENT_LOOKS = 3;

/** The same for a blocking connection: above the longest block plus `SILENT_LOOKS`. */
const SILENT_LOOKS_BLOCKING = 9;

const CONNECT_TIMEOUT_MS = 1_000;
const BACKOFF = { baseMs: 50, maxMs: 1_000 };

/** How long a cut connection may take to close before it is destroyed, in milliseconds. */
const DISCONNECT_TIMEOUT_MS = 50;

/**
 * Error replies about the server's state, not about a wrong command. Redis 6 prefixes the reply to
 * a command inside a script with a sentence of its own: `ERR Error running script …: -OOM …`.
 */
const STATE_ERROR =
  /(?:^|\s-)(?:LOADING|BUSY|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM|MISCONF|NOREPLICAS|UNBLOCKED)\s/;

/** After a failover the old primary answers this: its address has to be looked up again. */
const READONLY = /(?:^|\s-)READONLY\s/;

/** Pause before another attempt to connect, in milliseconds. */
export function reconnectDelay(attempt: number, random: number): number {
  return Math.ceil(fullJitter(BACKOFF, attempt, () => random));
}

/**
 * A Redis connection with bounded behaviour. No offline queue: commands fail at once while
 * disconnected. No re-sending: an unanswered command is rejected when its connection ends. A
 * connection that owes answers for 1.6 s is cut, with one timer per connection instead of one per
 * command. Every promise settles within two seconds. Connects on its own, with full jitter ≤ 1 s,
 * until `disconnect()`.
 */
export function createRedis(url: string, options: RedisOptions): RedisClient {
  const client = new WatchedRedis(
    url,
    {
      connectionName: options.name,
      disableClientInfo: true,
      protocol: 2,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      // 0: each close rejects what was waiting, instead of keeping it for the next connection.
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      disconnectTimeout: DISCONNECT_TIMEOUT_MS,
      retryStrategy: (attempt: number) => reconnectDelay(attempt, Math.random()),
      reconnectOnError: (error: Error) => READONLY.test(error.message),
    },
    options.blocking ? SILENT_LOOKS_BLOCKING : SILENT_LOOKS,
  );
  logState(client, options);
  return client;
}

/**
 * ioredis with a watch for silence. Its own `socketTimeout` is not used: it fires before reading
 * the replies that arrived while this process was busy.
 */
class WatchedRedis extends Redis {
  private readonly watchTimer: NodeJS.Timeout;
  private bytesRead = 0;
  private silent = 0;

  constructor(
    url: string,
    options: IoRedisOptions & { replyMapping?: 'legacy' },
    private readonly silentLooks: number,
  ) {
    super(url, options);
    // In the phase after timers and reading: what has arrived counts.
    this.watchTimer = setInterval(() => setImmediate(() => this.look()), WATCH_MS).unref();
    this.on('end', () => clearInterval(this.watchTimer));
  }

  /** ioredis does not end a connection that is waiting for its next attempt. */
  override disconnect(reconnect = false): void {
    const waiting = this.status === 'reconnecting';
    super.disconnect(reconnect);
    if (reconnect || !waiting) return;
    this.status = 'end';
    this.emit('end');
  }

  /** Commands of one turn of the event loop, even of several callers, leave in one write. */
  override sendCommand(
    ...[command, stream]: Parameters<Redis['sendCommand']>
  ): ReturnType<Redis['sendCommand']> {
    this.gather(this.stream as Partial<Socket> | undefined);
    return super.sendCommand(command, stream);
  }

  /** The socket holds back writes until the promises of this turn have run. */
  private gather(socket: Partial<Socket> | undefined): void {
    if (!socket?.cork || socket.writableCorked) return;
    socket.cork();
    process.nextTick(() => socket.uncork?.());
  }

  private look(): void {
    const bytesRead = this.stream?.bytesRead ?? 0;
    const owes = this.commandQueue.length > 0 && bytesRead === this.bytesRead;
    this.bytesRead = bytesRead;
    this.silent = owes ? this.silent + 1 : 0;
    if (this.silent < this.silentLooks) return;
    this.silent = 0;
    this.disconnect(true);
  }
}

/** Logs the first failure of an outage and its end, not every attempt. */
function logState(client: RedisClient, { name, log }: RedisOptions): void {
  let down = false;
  client.on('error', (error: Error) => {
    if (!down) log.warn({ redis: name, err: error }, 'redis connection failed');
    down = true;
  });
  client.on('reconnecting', () => {
    if (!down) log.warn({ redis: name }, 'redis connection lost');
    down = true;
  });
  client.on('ready', () => {
    log.info({ redis: name }, 'redis connection ready');
    down = false;
  });
}

/** Tells why a connection cannot be used at the moment; null: it can. */
export function redisProblem(client: RedisClient): () => string | null {
  let last: Error | null = null;
  client.on('error', (error: Error & { code?: string }) => (last = error));
  client.on('ready', () => (last = null));
  return () => {
    if (client.status === 'ready') return null;
    return last ? messageOf(last) : client.status;
  };
}

/** An address that is several ones fails with an error for each, and no message. */
function messageOf({ message, code }: Error & { code?: string }): string {
  return message || String(code);
}

/**
 * Waits until the connection is ready. Throws `RedisUnavailable` when it is ended, and after
 * `withinMs`; without that it waits for as long as Redis is away.
 */
export async function redisReady(client: RedisClient, withinMs?: number): Promise<void> {
  if (client.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const settle = (result: () => void): void => {
      clearTimeout(timer);
      client.off('ready', onReady);
      client.off('end', onEnd);
      result();
    };
    const onReady = (): void => settle(resolve);
    const onEnd = (): void => settle(() => reject(new RedisUnavailable('connection ended')));
    const late = () => reject(new RedisUnavailable(`not ready within ${withinMs} ms`));
    const timer = withinMs === undefined ? undefined : setTimeout(() => settle(late), withinMs);
    client.on('ready', onReady);
    client.on('end', onEnd);
  });
}

/**
 * The server's run id. It changes with every start of Redis and with a failover, so a changed one
 * means that what was written before may be lost. Throws `RedisUnavailable`.
 */
export async function redisRunId(client: RedisClient): Promise<string> {
  const info = await settled(client.info('server'));
  const runId = /^run_id:(\w+)/m.exec(info)?.[1];
  if (!runId) throw new RedisUnavailable('INFO server shows no run id');
  return runId;
}

/**
 * The outcome of a command; every failure other than a wrong command becomes `RedisUnavailable`.
 */
export async function settled<T>(outcome: Promise<T>): Promise<T> {
  try {
    return await outcome;
  } catch (error) {
    throw asRedisError(error);
  }
}

/**
 * The replies to commands that are sent in one turn, in order, once all have arrived. The first
 * failure is thrown as `settled` would. They travel in one write, as in a pipeline of ioredis. Such
 * a pipeline defines an accessor on each of its objects, so V8 takes them for long-lived:
 * everything they refer to survives the scavenges (decision 0018).
 */
export async function together<T>(commands: readonly Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(commands);
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw asRedisError(outcome.reason);
    return outcome.value;
  });
}

function asRedisError(error: unknown): unknown {
  if (error instanceof RedisUnavailable) return error;
  if (!(error instanceof Error) || !(error instanceof ReplyError))
    return new RedisUnavailable(error);
  return STATE_ERROR.test(error.message) ? new RedisUnavailable(error) : error;
}
