import { messageAt, uuid } from '../../test/entries';
import { changeAt } from '../../test/entries';
import type { Push } from './draft';
import { fanOut, fanOutToAll, fanOutUnreached, split, usersOf, type Address } from './fan-out';

const device = (gateway: number, n: number): Address => ({
  deviceId: uuid(n),
  gatewayId: `g${gateway}`,
  bootId: 'b',
  connectionId: `c${n}`,
});

const push = (offset: number, users: number[], receiver: number | null = null): Push => ({
  entry: messageAt(offset),
  frame: `{"n":${offset}}`,
  userIds: users.map(uuid),
  toAll: false,
  receiver: receiver === null ? null : uuid(receiver),
});

const routes = (table: Record<number, Address[]>) => {
  const byUser = new Map(Object.entries(table).map(([n, found]) => [uuid(Number(n)), found]));
  return (userId: string) => byUser.get(userId) ?? [];
};

const never = (): never => {
  throw new Error('no record is set aside');
};

describe('fanOut', () => {
  it('puts what is for all into the box of each gateway once, in log order among the others', () => {
    const toAll = { ...push(2, []), toAll: true };
    const gateways = [
      { gatewayId: 'g1', bootId: 'b' },
      { gatewayId: 'g2', bootId: 'b' },
    ];
    const routesOf = routes({ 1: [device(1, 11), device(1, 12)] });
    const pushes = [push(1, [1]), toAll, push(3, [1])];
    const boxes = fanOut(pushes, [], routesOf, never, gateways);
    expect(boxes.map(({ gatewayId }) => gatewayId)).toEqual(['g1', 'g2']);
    const shown = boxes.map(({ parcels }) =>
      parcels.map(({ frame, connections, toAll: all }) => [frame, all ?? connections]),
    );
    expect(shown).toEqual([
      [
        ['{"n":1}', ['c11', 'c12']],
        ['{"n":2}', true],
        ['{"n":3}', ['c11', 'c12']],
      ],
      [['{"n":2}', true]],
    ]);
    const late = fanOutToAll(pushes, [{ gatewayId: 'g2', bootId: 'b2' }]);
    expect(late.map(({ bootId, parcels }) => [bootId, parcels.length])).toEqual([['b2', 1]]);
  });

  it('sets a record aside that it throws over, and goes on with the next', () => {
    const routesOf = (userId: string): Address[] => {
      if (userId === uuid(2)) throw new TypeError('a defect');
      return [device(1, 11)];
    };
    const aside: bigint[] = [];
    const boxes = fanOut([push(1, [1]), push(2, [2]), push(3, [1])], [], routesOf, (entry) => {
      aside.push(entry.offset);
    });
    expect(boxes[0]!.parcels.map(({ frame }) => frame)).toEqual(['{"n":1}', '{"n":3}']);
    expect(aside).toEqual([2n]);
  });

  it('gives each gateway every frame once, in log order, with all its devices', () => {
    const routesOf = routes({ 1: [device(1, 11), device(2, 12)], 2: [device(2, 21)], 3: [] });
    const boxes = fanOut([push(1, [1, 2, 3]), push(2, [2]), push(3, [2, 1])], [], routesOf, never);
    expect(boxes).toMatchObject([
      {
        gatewayId: 'g1',
        bootId: 'b',
        parcels: [
          { connections: ['c11'], frame: '{"n":1}' },
          { connections: ['c11'], frame: '{"n":3}' },
        ],
      },
      {
        gatewayId: 'g2',
        bootId: 'b',
        parcels: [
          { connections: ['c12', 'c21'], frame: '{"n":1}' },
          { connections: ['c21'], frame: '{"n":2}' },
          { connections: ['c21', 'c12'], frame: '{"n":3}' },
        ],
      },
    ]);
  });

  it('says when what a push shows is over, and of answers to senders that they never are', () => {
    const expiresAt = '2026-01-01T00:00:10.000Z';
    const mortal = messageAt(1);
    const entry = { ...mortal, event: { ...mortal.event, expiresAt } };
    const routesOf = routes({ 1: [device(1, 11)] });
    const boxes = fanOut([{ ...push(1, [1, 2], 2), entry }], [entry], routesOf, never);
    const { parcels } = boxes[0]!;
    expect(
      parcels.map(({ frame, untilMs }) => [/"type":"(\w+)"/.exec(frame)?.[1], untilMs]),
    ).toEqual([
      [undefined, Date.parse(expiresAt)],
      ['pending', undefined],
    ]);
  });

  it('keeps boots of one gateway apart', () => {
    const old = { ...device(1, 11), bootId: 'a' };
    const boxes = fanOut([push(1, [1])], [], routes({ 1: [old, device(1, 12)] }), never);
    expect(boxes.map((box) => box.bootId)).toEqual(['a', 'b']);
  });

  it.each([
    ['no route', [], true],
    ['a route', [device(2, 21)], false],
  ])('pending with %s', (_name, receiverRoutes, expected) => {
    const routesOf = routes({ 1: [device(1, 11), device(2, 12)], 2: receiverRoutes });
    const boxes = fanOut([push(5, [1, 2], 2)], [], routesOf, never);
    const pending = boxes.flatMap((box) => box.parcels.filter((p) => p.frame.includes('pending')));
    expect(pending).toHaveLength(expected ? 2 : 0);
    if (expected) {
      expect(pending.map((parcel) => parcel.presenceOf)).toEqual([uuid(2), uuid(2)]);
      expect(JSON.parse(pending[0]!.frame)).toEqual({
        type: 'pending',
        conversationId: 'c',
        messageId: uuid(5),
        position: '1005',
        offline: [uuid(2)],
      });
    }
  });

  it('is silent about a receiver of no message', () => {
    const change: Push = { ...push(1, [1, 2]), entry: changeAt(1, { users: [1, 2] }) };
    expect(fanOut([change], [], routes({ 1: [device(1, 11)] }), never)[0]!.parcels).toHaveLength(1);
  });

  it('tells only the device that sent a conflicting copy', () => {
    const routesOf = routes({ 1: [device(1, 11), device(1, 12)] });
    const boxes = fanOut([], [messageAt(7, { sender: 1, device: 12 })], routesOf, never);
    expect(boxes).toHaveLength(1);
    expect(boxes[0]!.parcels[0]!.connections).toEqual(['c12']);
    expect(usersOf([], [messageAt(7)])).toEqual([uuid(1)]);
  });
});

describe('fanOutUnreached', () => {
  const gone = (gateway: number) => ({ gatewayId: `g${gateway}`, bootId: 'b', parcels: [] });
  it.each([
    ['all its boxes are gone', [gone(2), gone(3)], true],
    ['one of its boxes took it', [gone(2)], false],
    ['other boxes are gone', [gone(1)], false],
  ])('pending when %s', (_name, boxes, expected) => {
    const routesOf = routes({ 1: [device(1, 11)], 2: [device(2, 21), device(3, 22)] });
    const told = fanOutUnreached([push(1, [1, 2], 2), push(2, [1, 2])], boxes, routesOf, never);
    expect(told.length).toBe(expected ? 1 : 0);
  });
});

describe('split', () => {
  const box = (sizes: number[]) => ({
    gatewayId: 'g',
    bootId: 'b',
    parcels: sizes.map((size) => ({ connections: ['c'], frame: 'x'.repeat(size - 40) })),
  });
  it.each([
    [
      [100, 100, 100],
      [[100, 100], [100]],
    ],
    [
      [300, 50, 50],
      [[300], [50, 50]],
    ],
    [[50], [[50]]],
    [[], []],
  ])('%j in parts of 200', (sizes, expected) => {
    const parts = split(box(sizes), 200);
    expect(parts.map((p) => p.parcels.map((x) => x.frame.length + 40))).toEqual(expected);
  });
});

describe('a large group', () => {
  it('costs one parcel per gateway, with the one frame, however many are online', () => {
    const users = Array.from({ length: 1_000 }, (_, n) => n);
    const online = Object.fromEntries(users.slice(0, 500).map((n) => [n, [device(n % 2, n)]]));
    const message = push(1, users);
    const boxes = fanOut([message], [], routes(online), never);
    expect(boxes.map((box) => box.parcels.length)).toEqual([1, 1]);
    for (const { parcels } of boxes) {
      expect(parcels[0]!.connections).toHaveLength(250);
      expect(parcels[0]!.frame).toBe(message.frame);
    }
  });
});
