import type { Boots } from '@tidings/common/redis/boots';
import type { Directory, GatewayEntry } from '@tidings/common/redis/directory';
import { encodeBoot } from '@tidings/common/redis/watchers';
import type { Gateways } from '../domain/fan-out';

/**
 * The gateways that may have sockets, read anew each time: those in the directory, draining ones too, and
 * those that have named a boot, which they do before they write its first route.
 */
export class EveryGateway {
  constructor(
    private readonly directory: Pick<Directory<GatewayEntry>, 'list'>,
    private readonly boots: Pick<Boots, 'all'>,
  ) {}

  /** Each boot once. Throws `RedisUnavailable`. */
  async list(): Promise<Gateways> {
    const [listed, named] = await Promise.all([this.directory.list(), this.boots.all()]);
    const all = [...listed.map(({ id, bootId }) => ({ gatewayId: id, bootId })), ...named];
    return [...new Map(all.map((boot) => [encodeBoot(boot), boot])).values()];
  }
}
