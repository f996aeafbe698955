import { presenceOf } from './status';

const clocks = { userId: 'u', lastSeenAtMs: 1_000, activeAtMs: null, connectedAtMs: 1_000 };
const route = (gatewayId: string, bootId = 'b') => ({ gatewayId, bootId });

describe('presenceOf', () => {
  it.each([
    ['a route of a living gateway', [route('g')], [['g', 'b']], 'online'],
    ['no route', [], [], 'offline'],
    ['a route of a gateway without a lease', [route('g')], [['g', null]], 'offline'],
    ['a route of an earlier boot', [route('g', 'a')], [['g', 'b']], 'offline'],
    [
      'one dead and one living',
      [route('h'), route('g')],
      [
        ['h', null],
        ['g', 'b'],
      ],
      'online',
    ],
  ] as const)('%s', (_name, routes, holders, status) => {
    expect(presenceOf('u', routes, new Map(holders), clocks)).toEqual({
      userId: 'u',
      status,
      lastSeenAt: '1970-01-01T00:00:01.000Z',
      activeAt: null,
    });
  });

  it('knows nothing of a user who was never seen', () => {
    expect(presenceOf('u', [], new Map(), undefined)).toMatchObject({
      status: 'offline',
      lastSeenAt: null,
    });
  });
});
