import { Leadership } from './leadership';

function setUp() {
  const world = { owns: false, term: 0, away: false, meanwhile: () => undefined as void };
  const lines: string[] = [];
  const changes: boolean[] = [];
  const leadership = new Leadership({
    service: 'storage',
    nodeId: 'storage-1',
    bootId: 'boot',
    owns: () => world.owns,
    leaders: {
      claim: () => {
        world.meanwhile();
        return world.away
          ? Promise.reject(new Error('away'))
          : Promise.resolve(String(++world.term));
      },
    },
    logger: {
      info: (_fields: object, line: string) => void lines.push(line),
      debug: () => undefined,
    } as never,
    changed: (leads) => void changes.push(leads),
  });
  return { leadership, world, lines, changes };
}

describe('Leadership', () => {
  it('takes a term when it owns the partition, and a new one when it comes back', async () => {
    const { leadership, world, lines, changes } = setUp();
    await leadership.look();
    expect(leadership.term()).toBeNull();
    world.owns = true;
    expect(leadership.term()).toBeNull();
    await leadership.look();
    await leadership.look();
    expect(leadership.term()).toBe('1');
    world.owns = false;
    expect(leadership.term()).toBeNull();
    await leadership.look();
    world.owns = true;
    await leadership.look();
    expect(leadership.term()).toBe('2');
    expect(lines).toEqual(['leads', 'leads no more', 'leads']);
    expect(changes).toEqual([true, false, true]);
  });

  it('does not lead while PostgreSQL is away, nor when ownership went meanwhile', async () => {
    const { leadership, world, lines } = setUp();
    world.owns = true;
    world.away = true;
    await leadership.look();
    expect(leadership.term()).toBeNull();
    world.away = false;
    world.meanwhile = () => void (world.owns = false);
    await leadership.look();
    world.owns = true;
    expect(leadership.term()).toBeNull();
    expect(lines).toEqual([]);
  });
});
