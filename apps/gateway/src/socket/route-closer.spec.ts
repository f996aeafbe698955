import { decodeInbox } from '@tidings/common/redis/inbox-codec';
import type { InboxEntry } from '@tidings/common/redis/inbox';
import { createLogger } from '@tidings/common/runtime/logger';
import type { ConnectionCloser } from './connection-closer';
import { ConnectionTable } from './connection-table';
import { fakeConnection } from '../testing/fake-connection';
import { RouteCloser } from './route-closer';

function setUp() {
  const table = new ConnectionTable();
  table.add(fakeConnection({ id: 'c1' }).connection);
  const here: string[] = [];
  const elsewhere: InboxEntry[] = [];
  const closer = new RouteCloser({
    gatewayId: 'g1',
    isOwnBoot: (bootId) => bootId === 'mine',
    table,
    closer: {
      close: (connection: { id: string }, code: number) => here.push(`${connection.id} ${code}`),
    } as unknown as ConnectionCloser,
    inboxes: {
      append: (entries) => {
        elsewhere.push(...entries);
        return Promise.reject(new Error('Redis is away'));
      },
    },
    logger: createLogger({ service: 'gateway', nodeId: 'g', level: 'silent' }),
  });
  const close = (gatewayId: string, bootId: string, connectionId = 'c1') =>
    closer.close(
      { userId: 'u', deviceId: 'd', gatewayId, bootId, connectionId, generation: '1' },
      4506,
      'elsewhere',
    );
  return { close, here, elsewhere };
}

describe('RouteCloser', () => {
  it('closes a connection of this process', () => {
    const { close, here, elsewhere } = setUp();
    close('g1', 'mine');
    close('g1', 'mine', 'gone');
    expect(here).toEqual(['c1 4506']);
    expect(elsewhere).toEqual([]);
  });

  it.each([
    { name: 'another gateway', gatewayId: 'g2', bootId: 'x' },
    { name: 'an earlier process of this gateway', gatewayId: 'g1', bootId: 'dead' },
  ])('leaves an entry for $name, and survives its loss', async ({ gatewayId, bootId }) => {
    const { close, here, elsewhere } = setUp();
    close(gatewayId, bootId);
    await new Promise((resolve) => setImmediate(resolve));
    expect(here).toEqual([]);
    expect(elsewhere).toMatchObject([{ gatewayId, bootId }]);
    const closes: unknown[] = [];
    decodeInbox(elsewhere[0]!.payload, {
      changed: jest.fn(),
      push: jest.fn(),
      all: jest.fn(),
      tells: jest.fn(),
      close: (id, code, reason) => closes.push([id, code, reason]),
      presence: jest.fn(),
      judge: jest.fn(),
    });
    expect(closes).toEqual([['c1', 4506, 'elsewhere']]);
  });
});
