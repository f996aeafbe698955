import { ConnectionTable } from '../socket/connection-table';
import { fakeConnection } from '../testing/fake-connection';
import { EveryoneDelivery } from './everyone-delivery';

const SOCKETS = 600;
const turn = () => new Promise((resolve) => setImmediate(resolve));

function setUp(count: number, from: bigint | null = 1n) {
  const table = new ConnectionTable();
  const connections = Array.from({ length: count }, (_, i) => {
    const { connection } = fakeConnection({ id: `c${i}` });
    connection.everyoneFrom = from;
    table.add(connection);
    return connection;
  });
  const written: [id: string, text: string][] = [];
  const delivery = new EveryoneDelivery({
    table,
    write: ({ id }, bytes) => void written.push([id, bytes.subarray(2).toString()]),
  });
  const take = (position: bigint) => delivery.take(position, Buffer.from(`p${position}`));
  const of = (id: string) => written.filter(([to]) => to === id).map(([, text]) => text);
  return { table, connections, written, delivery, take, of };
}

describe('EveryoneDelivery', () => {
  it('writes to some sockets in each turn, in the order of positions, and to each once', async () => {
    const { delivery, take, written, of } = setUp(SOCKETS);
    expect([take(5n), take(6n)]).toEqual([true, true]);
    expect(written).toEqual([]);
    let turns = 0;
    for (; delivery.busy; turns++) {
      const before = written.length;
      await turn();
      expect(written.length - before).toBeLessThan(SOCKETS);
    }
    expect(turns).toBeGreaterThan(2);
    expect(written).toHaveLength(2 * SOCKETS);
    expect(of(`c${SOCKETS - 1}`)).toEqual(['p5', 'p6']);
    expect([take(6n), take(3n)]).toEqual([false, false]);
    await turn();
    expect(written).toHaveLength(2 * SOCKETS);
  });

  it('goes before what is written to a socket meanwhile', async () => {
    const { delivery, connections, take, of, written } = setUp(SOCKETS);
    take(5n);
    take(6n);
    delivery.goFirst(connections.at(-1)!);
    expect(written).toEqual([
      [`c${SOCKETS - 1}`, 'p5'],
      [`c${SOCKETS - 1}`, 'p6'],
    ]);
    while (delivery.busy) await turn();
    expect(of(`c${SOCKETS - 1}`)).toEqual(['p5', 'p6']);
  });

  it('leaves to the answer of a sync what is below its barrier, and to the first sync what came before', async () => {
    const { delivery, connections, take, of } = setUp(3);
    connections[0]!.everyoneFrom = 6n;
    connections[1]!.everyoneFrom = null;
    take(5n);
    take(6n);
    while (delivery.busy) await turn();
    expect([of('c0'), of('c1'), of('c2')]).toEqual([['p6'], [], ['p5', 'p6']]);
    // its barrier was taken between the two, and came back behind them
    delivery.barrierTaken(connections[1]!, 6n);
    expect(of('c1')).toEqual(['p6']);
    take(7n);
    while (delivery.busy) await turn();
    expect(of('c1')).toEqual(['p6', 'p7']);
    delivery.barrierTaken(connections[1]!, 6n);
    delivery.barrierTaken(connections[1]!, 9n);
    take(8n);
    take(9n);
    while (delivery.busy) await turn();
    expect(of('c1')).toEqual(['p6', 'p7', 'p9']);
  });

  it('writes the oldest at once when there are too many', async () => {
    const { delivery, take, written } = setUp(1);
    for (let n = 1n; n <= 20n; n++) take(n);
    expect(written.map(([, text]) => text)).toEqual(['p1', 'p2', 'p3', 'p4']);
    while (delivery.busy) await turn();
    expect(written).toHaveLength(20);
  });
});
