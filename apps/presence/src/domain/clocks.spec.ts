import fc from 'fast-check';
import { mergeConnections, type ConnectionEvent } from './clocks';

const NOW = Date.parse('2026-01-02T03:04:05.000Z');
const uuid = (n: number) => `01890a5d-ac96-774b-bcce-${String(n).padStart(12, '0')}`;

function happened(kind: 'opened' | 'closed', user: number, at: number | string): ConnectionEvent {
  const event = {
    userId: uuid(user),
    deviceId: uuid(9),
    connectionId: 'c',
    gatewayId: 'g',
    bootId: 'b',
    generation: '1',
    at: typeof at === 'string' ? at : new Date(at).toISOString(),
  };
  return kind === 'opened'
    ? { kind, event }
    : { kind, event: { ...event, reason: 'client' as const } };
}

describe('mergeConnections', () => {
  it('takes the last sign of life of each user, sorted by user', () => {
    const events = [
      happened('opened', 2, NOW - 50),
      happened('closed', 1, NOW - 10),
      happened('opened', 1, NOW - 40),
      happened('closed', 2, NOW - 20),
    ];
    expect(mergeConnections(events, NOW)).toEqual([
      { userId: uuid(1), lastSeenAtMs: NOW - 10, activeAtMs: null, connectedAtMs: NOW - 10 },
      { userId: uuid(2), lastSeenAtMs: NOW - 20, activeAtMs: null, connectedAtMs: NOW - 20 },
    ]);
  });

  it.each([
    ['the future', NOW + 1],
    ['no time at all', 'yesterday'],
  ])('takes %s as now', (_name, at) => {
    expect(mergeConnections([happened('opened', 1, at)], NOW)[0]!.lastSeenAtMs).toBe(NOW);
  });

  it('does not depend on the order of the events', () => {
    const events = fc.array(
      fc.record({ user: fc.integer({ min: 1, max: 4 }), ago: fc.integer({ min: 0, max: 1_000 }) }),
    );
    fc.assert(
      fc.property(events, (list) => {
        const made = list.map(({ user, ago }, i) =>
          happened(i % 2 ? 'opened' : 'closed', user, NOW - ago),
        );
        expect(mergeConnections(made.toReversed(), NOW)).toEqual(mergeConnections(made, NOW));
      }),
    );
  });
});
