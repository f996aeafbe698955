import { RedisUnavailable } from '@tidings/common/redis/client';
import type { GatewayEntry } from '@tidings/common/redis/directory';
import { DirectoryService } from './directory.service';

const PRINCIPAL = { userId: 'user', deviceId: 'device', generation: 3 };

function entry(id: string, over: Partial<GatewayEntry> = {}): GatewayEntry {
  return {
    service: 'gateway',
    id,
    bootId: 'b',
    url: `ws://${id}`,
    version: '1',
    state: 'ready',
    connections: 0,
    capacity: 10,
    loopDelayMs: 0,
    connectsPerSecond: 100,
    at: 0,
    ...over,
  };
}

function setUp(list: GatewayEntry[] | Error) {
  const issued: unknown[] = [];
  const service = new DirectoryService({
    gatewayId: 'g1',
    heartbeatSeconds: 25,
    ticketSeconds: 30,
    backoff: { baseMs: 250, maxMs: 30_000 },
    directory: {
      list: () => (list instanceof Error ? Promise.reject(list) : Promise.resolve(list)),
    },
    tickets: {
      issue: (request) => {
        issued.push(request);
        return Promise.resolve({ ticket: 'ticket', connectionGeneration: '1' });
      },
    },
    random: () => 0,
  });
  const connect = (deviceId = 'device', avoid?: string[]) =>
    service.connect(PRINCIPAL, { deviceId, avoid });
  return { service, connect, issued };
}

describe('DirectoryService', () => {
  it('tells which gateways shed something; without Redis of none', async () => {
    const text = { lanes: [], text: true };
    const { service } = setUp([
      entry('g1', { shedding: { lanes: ['typing'], text: false } }),
      entry('g2', { shedding: { lanes: [], text: false } }),
      entry('g3'),
      entry('g4', { shedding: text }),
    ]);
    expect(await service.shedding()).toEqual([
      { gateway: 'g1', lanes: ['typing'], text: false },
      { gateway: 'g4', ...text },
    ]);
    expect(await setUp(new RedisUnavailable('away')).service.shedding()).toEqual([]);
  });

  it('names a primary and a backup, with a ticket for just these', async () => {
    const { connect, issued } = setUp([entry('g1', { connections: 5 }), entry('g2')]);
    expect(await connect()).toEqual({
      ticket: 'ticket',
      expiresInSeconds: 30,
      gateways: [
        { id: 'g2', url: 'ws://g2' },
        { id: 'g1', url: 'ws://g1' },
      ],
      heartbeatSeconds: 25,
      backoff: { baseMs: 250, maxMs: 30_000 },
    });
    expect(issued).toEqual([
      { userId: 'user', deviceId: 'device', sessionGeneration: 3, gatewayIds: ['g2', 'g1'] },
    ]);
  });

  it('avoids gateways as long as there are others', async () => {
    const { connect } = setUp([entry('g1'), entry('g2')]);
    expect((await connect('device', ['g1'])).gateways).toEqual([{ id: 'g2', url: 'ws://g2' }]);
    const alone = setUp([entry('g1')]);
    expect((await alone.connect('device', ['g1'])).gateways).toHaveLength(1);
  });

  it.each([
    { name: 'there is no gateway', list: [], code: 'busy' },
    { name: 'all are full', list: [entry('g1', { connections: 10 })], code: 'busy' },
    { name: 'all are draining', list: [entry('g1', { state: 'draining' })], code: 'busy' },
    { name: 'Redis is away', list: new RedisUnavailable('down'), code: 'unavailable' },
  ])('answers $code when $name', async ({ list, code }) => {
    const { connect, issued } = setUp(list);
    await expect(connect()).rejects.toMatchObject({ code, retryAfterMs: 2_000 });
    expect(issued).toEqual([]);
  });

  it('gives no ticket for the device of another token', async () => {
    await expect(setUp([entry('g1')]).connect('other')).rejects.toMatchObject({
      code: 'forbidden',
    });
  });

  it('names others only, for a goodbye', async () => {
    const two = setUp([entry('g1'), entry('g2'), entry('g3', { state: 'draining' })]);
    const gateways = [{ id: 'g2', url: 'ws://g2' }];
    expect(await two.service.others()).toEqual({ gateways, connectsPerSecond: 100 });
    const more = setUp([entry('g1'), entry('g2'), entry('g3', { connectsPerSecond: 20 })]);
    expect((await more.service.others()).connectsPerSecond).toBe(120);
    const unlimited = setUp([entry('g2'), entry('g3', { connectsPerSecond: 0 })]);
    expect((await unlimited.service.others()).connectsPerSecond).toBe(Infinity);
    const nobody = { gateways: [], connectsPerSecond: 0 };
    expect(await setUp([entry('g1')]).service.others()).toEqual(nobody);
    expect(await setUp(new RedisUnavailable('down')).service.others()).toEqual(nobody);
  });
});
