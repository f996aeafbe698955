import type { Stack, StackOptions } from '../../../tools/stack/stack';
import { type DirectionFaults, TcpProxy } from '../../support/tcp-proxy';

const GATEWAYS = ['gateway-1', 'gateway-2'];
/** Until it is known where the servers are. */
const NOWHERE = { port: 1 };

/**
 * Proxies between people and gateways, and between services and Redis and PostgreSQL, whose faults a seed
 * decides. Kafka is reached directly.
 */
export class Network {
  private constructor(
    /** In front of the gateways. */
    readonly toGateways: readonly TcpProxy[],
    readonly toRedis: TcpProxy,
    readonly toDatabase: TcpProxy,
  ) {}

  static async start(seed: number): Promise<Network> {
    const proxy = (n: number) => TcpProxy.start({ target: NOWHERE, seed: seed + n });
    const gateways = await Promise.all(GATEWAYS.map((_, n) => proxy(n)));
    return new Network(gateways, await proxy(2), await proxy(3));
  }

  get all(): TcpProxy[] {
    return [...this.toGateways, this.toRedis, this.toDatabase];
  }

  /** Gateways that tell clients the addresses of their proxies. */
  options(): Pick<StackOptions, 'nodeEnv'> {
    const url = (n: number) => `ws://${this.toGateways[n]!.address}/v1/ws`;
    return { nodeEnv: Object.fromEntries(GATEWAYS.map((id, n) => [id, { PUBLIC_URL: url(n) }])) };
  }

  /** HTTP addresses of the gateways for people. */
  get bases(): string[] {
    return this.toGateways.map(({ address }) => `http://${address}`);
  }

  /** Puts the proxies between: services are started again with other addresses of their servers. */
  async join(stack: Stack): Promise<void> {
    for (const [n, id] of GATEWAYS.entries()) {
      this.toGateways[n]!.retarget({ port: stack.node(id).port });
    }
    this.toRedis.retarget({ port: stack.redis.port });
    this.toDatabase.retarget({ port: stack.postgres.port });
    const REDIS_URL = through(this.toRedis, stack.redisUrl);
    const DATABASE_URL = through(this.toDatabase, stack.databaseUrl);
    const nodes = Object.values(stack.nodes);
    await Promise.all(
      nodes.map(({ id, service, restart }) => {
        const usesDatabase = service === 'storage' || service === 'presence';
        return restart.call(stack.node(id), {
          REDIS_URL,
          ...(usesDatabase && { DATABASE_URL }),
        });
      }),
    );
  }

  /** The same faults everywhere, in both directions. */
  becomes(faults: Partial<DirectionFaults>): void {
    for (const { toServer, toClient } of this.all) {
      Object.assign(toServer, faults);
      Object.assign(toClient, faults);
    }
  }

  get lost(): number {
    return this.all.reduce((sum, { lostCount }) => sum + lostCount, 0);
  }

  heal(): void {
    for (const proxy of this.all) proxy.heal();
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((proxy) => proxy.stop()));
  }
}

function through({ port }: TcpProxy, url: string): string {
  return url.replace(/:\d+(?=\/|$)/, `:${port}`);
}
