import {
  createRedis,
  redisReady,
  type RedisClient,
  type RedisLog,
} from '@tidings/common/redis/client';
import { startServers, type Servers } from '../../tools/stack/servers';

const silent: RedisLog = { info: () => undefined, warn: () => undefined };

/** A real Redis with connections to it that are closed at its stop. */
export class RedisRig {
  private readonly clients: RedisClient[] = [];

  private constructor(readonly servers: Servers) {}

  static async start(): Promise<RedisRig> {
    return new RedisRig(await startServers({ redis: true }));
  }

  /** A ready connection. */
  async client(options: { blocking?: boolean } = {}): Promise<RedisClient> {
    const client = createRedis(this.servers.redisUrl, { name: 'spec', log: silent, ...options });
    this.clients.push(client);
    await redisReady(client, 10_000);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.disconnect();
    await this.servers.stop();
  }
}

/** The outcome of a promise and how long it took, milliseconds. */
export async function timed<T>(
  promise: Promise<T>,
): Promise<{ outcome: PromiseSettledResult<T>; ms: number }> {
  const start = performance.now();
  const [outcome] = await Promise.allSettled([promise]);
  return { outcome: outcome!, ms: performance.now() - start };
}
