import { Boots } from '@tidings/common/redis/boots';
import { createRedis, type RedisClient } from '@tidings/common/redis/client';
import { InboxWriter } from '@tidings/common/redis/inbox';
import { GatewayLease } from '@tidings/common/redis/lease';
import { pino } from 'pino';
import { BootKeeper } from '../../apps/gateway/src/directory/boot-keeper';
import { eventually } from '../support/eventually';
import { TcpProxy } from '../support/tcp-proxy';
import { RedisRig } from './redis-harness';

const GATEWAY = 'gateway-1';
const logger = pino({ level: 'silent' });

describe('a gateway that takes a new boot id', () => {
  let rig: RedisRig;
  let client: RedisClient;
  let writer: InboxWriter;
  let proxy: TcpProxy;
  let keeper: BootKeeper;
  const delivered: string[] = [];

  beforeAll(async () => {
    rig = await RedisRig.start();
    client = await rig.client();
    writer = new InboxWriter(await rig.client());
    proxy = await TcpProxy.start({ target: { port: Number(new URL(rig.servers.redisUrl).port) } });
  }, 240_000);
  afterAll(async () => {
    await keeper?.stop();
    await proxy?.stop();
    await rig?.stop();
  });

  const put = (bootId: string, payload: string) =>
    writer.append([{ gatewayId: GATEWAY, bootId, payload }]);

  it('hands on what lies in its old inbox before what session put into the new one', async () => {
    // only the first inbox is read through the proxy
    const proxied = new URL(rig.servers.redisUrl);
    proxied.host = proxy.address;
    const urls = [proxied.href];
    keeper = new BootKeeper({
      gatewayId: GATEWAY,
      redis: client,
      blockingRedis: () =>
        createRedis(urls.pop() ?? rig.servers.redisUrl, {
          name: 'reader',
          blocking: true,
          log: logger,
        }),
      lease: new GatewayLease(client),
      boots: new Boots(client),
      logger,
      deliver: (payload) => void delivered.push(payload.toString()),
      setAside: (error) => {
        throw error;
      },
      announceRoutes: () => Promise.resolve(),
      fatal: (reason) => {
        throw new Error(reason);
      },
    });
    await keeper.start();
    const old = keeper.bootId;
    await put(old, 'first');
    await eventually(() => expect(delivered).toEqual(['first']));
    // as after a restart of Redis: the reader's connection is not there again yet
    proxy.refuse();
    await put(old, 'second');
    await put(old, 'third');
    keeper.reboot('redis was away');
    await eventually(() => expect(keeper.bootId).not.toBe(old));
    await put(keeper.bootId, 'fourth');
    await eventually(() => expect(delivered).toContain('fourth'));
    await put(old, 'fifth, of another partition');
    await put(keeper.bootId, 'sixth');
    await eventually(() => expect(delivered).toContain('sixth'));
    const five = ['first', 'second', 'third', 'fourth', 'fifth, of another partition'];
    expect(delivered).toEqual([...five, 'sixth']);
  });
});
