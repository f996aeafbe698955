import type { Socket } from 'node:net';
import { Redis, ReplyError, type RedisOptions as IoRedisOptions } from 'ioredis';
import { fullJitter } from '../runtime/waiting';

/** A connection made by `createRedis`. */
export type RedisClient = Redis;

/** What this folder needs of a logger (pino fits). */
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

/** How often a connection is looked at, milliseconds. */
const WATCH_MS = 400;

/** So often in a row it may owe answers without a byte having come, before it is cut: 1.2–1.6 s. */
const SILENT_LOOKS = 3;

/** The same for a blocking connection: above the longest block plus `SILENT_LOOKS`. */
const SILENT_LOOKS_BLOCKING = 9;

const CONNECT_TIMEOUT_MS = 1_000;
const BACKOFF = { baseMs: 50, maxMs: 1_000 };

/** How long a cut connection may take to close, before it is destroyed. */
const DISCONNECT_TIMEOUT_MS = 50;

/**
 * Error replies that tell of the server's state, not of a wrong command. Redis 6 puts its reply to
 * a command inside a script behind a sentence of its own: `ERR Error running script …: -OOM …`.
 */
const STATE_ERROR =
  /(?:^|\s-)(?:LOADING|BUSY|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM|MISCONF|NOREPLICAS|UNBLOCKED)\s/;

/** After a failover the old primary answers so: its address is to be looked up again. */
const READONLY = /(?:^|\s-)READONLY\s/;

/** Pause before another attempt to connect, milliseconds. */
export function reconnectDelay(attempt: number, random: number): number {
  return Math.ceil(fullJitter(BACKOFF, attempt, () => random));
}

/**
 * A Redis connection with bounded behaviour: no offline queue (commands fail at once while
 * disconnected), no re-sending (an unanswered command is rejected when its connection ends), and a
 * connection that owes answers for 1.6 s is cut: one timer per connection instead of one per
 * command. Every promise settles within two seconds. Connects by itself, with full jitter ≤ 1 s,
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
 * ioredis with a watch over silence. Its own `socketTimeout` is not used: it fires before the replies
 * are read that came while this process was busy.
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
    // In the phase after the timers and after reading: what has arrived counts.
    this.watchTimer = setInterval(() => setImmediate(() => this.look()), WATCH_MS).unref();
    this.on('end', () => clearInterval(this.watchTimer));
  }

  /** ioredis forgets to end a connection that is waiting for its next attempt. */
  override disconnect(reconnect = false): void {
    const waiting = this.status === 'reconnecting';
    super.disconnect(reconnect);
    if (reconnect || !waiting) return;
    this.status = 'end';
    this.emit('end');
  }

  /** Commands of one turn of the event loop, of several callers too, leave in one write. */
  override sendCommand(
    ...[command, stream]: Parameters<Redis['sendCommand']>
  ): ReturnType<Redis['sendCommand']> {
    this.gather(this.stream as Partial<Socket> | undefined);
    return super.sendCommand(command, stream);
  }

  /** Until the turn's promises have run, the socket keeps what it is given. */
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

/** Logs the first failure of an outage and its end, not each attempt. */
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

/** Waits until the connection is ready; throws `RedisUnavailable` after `withinMs`. */
export async function redisReady(client: RedisClient, withinMs: number): Promise<void> {
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
    const timer = setTimeout(
      () => settle(() => reject(new RedisUnavailable(`not ready within ${withinMs} ms`))),
      withinMs,
    );
    client.on('ready', onReady);
    client.on('end', onEnd);
  });
}

/**
 * The server's run id: it changes with every start of Redis and with a failover, so a changed one
 * means that what was written before may be lost. Throws `RedisUnavailable`.
 */
export async function redisRunId(client: RedisClient): Promise<string> {
  const info = await settled(client.info('server'));
  const runId = /^run_id:(\w+)/m.exec(info)?.[1];
  if (!runId) throw new RedisUnavailable('INFO server shows no run id');
  return runId;
}

/** The outcome of a command, every failure that is not a wrong command as `RedisUnavailable`. */
export async function settled<T>(outcome: Promise<T>): Promise<T> {
  try {
    return await outcome;
  } catch (error) {
    throw asRedisError(error);
  }
}

/**
 * The replies of commands that are asked in one turn, in order, when all have come; the first
 * failure is thrown as `settled` would. They travel in one write, as in a pipeline of ioredis. Such
 * a pipeline defines an accessor on each of its objects, whereby V8 takes them for long-lived: all
 * that they refer to outlives the scavenges (decision 0018).
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
