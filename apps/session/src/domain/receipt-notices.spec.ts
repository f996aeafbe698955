import { serverFrame } from '@tidings/protocol/frames';
import { fanOutNotices, type Address } from './fan-out';
import { receiptNotices } from './receipt-notices';

const [ANN, BOB, CID, DAN] = [1, 2, 3, 4].map((n) => `01890a5d-ac96-774b-bcce-b302099a800${n}`) as [
  string,
  string,
  string,
  string,
];
const READER = { conversationId: 'c', userId: ANN, deviceId: 'phone', read: '9' };
const VIEW = { others: [], delivered: '12', read: '9', deliveredBefore: '11' };

describe('receiptNotices', () => {
  it('tells the own other devices what is unread, nobody else', () => {
    const view = { ...VIEW, others: [{ userId: BOB, seesRead: true }], unread: 2, upTo: '15' };
    const notices = receiptNotices(READER, view, undefined);
    const frames = notices.map((l) => serverFrame.parse(JSON.parse(l.frame)));
    expect(frames[0]).toMatchObject({ userId: ANN, read: '9', unread: 2, upTo: '15' });
    expect(notices[0]).toMatchObject({ userIds: [ANN], exceptDevice: 'phone' });
    expect(frames[1]).not.toHaveProperty('unread');
    expect(notices[1]).toMatchObject({ userIds: [BOB], exceptDevice: null });
  });

  it.each([
    [true, '9'],
    [false, '0'],
  ])('another who may see read: %s → read %s, delivered in any case', (seesRead, read) => {
    const others = [{ userId: BOB, seesRead }];
    const [, notice] = receiptNotices(READER, { ...VIEW, others }, undefined);
    expect(JSON.parse(notice!.frame)).toMatchObject({ delivered: '12', read });
  });

  it('tells who may not see read of delivered when nothing was read, although storage knew', () => {
    const others = [{ userId: BOB, seesRead: false }];
    const view = { ...VIEW, others, deliveredBefore: '12' };
    const notices = receiptNotices({ ...READER, read: '0' }, view, undefined);
    expect(notices).toHaveLength(2);
    expect(receiptNotices({ ...READER, read: '0' }, view, '12')).toHaveLength(1);
  });

  it.each([
    ['nothing was pushed before, and storage knew less', '11', undefined, true],
    ['nothing was pushed before, and storage knew as much', '12', undefined, false],
    ['less was pushed before', '12', '11', true],
    ['as much was pushed before', '11', '12', false],
  ])('tells who may not see read only of delivered: %s', (_when, stored, pushed, told) => {
    for (const seesRead of [false, true]) {
      const others = [{ userId: BOB, seesRead }];
      const notices = receiptNotices(READER, { ...VIEW, others, deliveredBefore: stored }, pushed);
      expect(notices.some((l) => l.userIds.includes(BOB))).toBe(told || seesRead);
    }
  });

  it('encodes one frame for all who may see the same', () => {
    const others = [BOB, CID, DAN].map((userId) => ({ userId, seesRead: userId !== CID }));
    const notices = receiptNotices(READER, { ...VIEW, others }, undefined);
    expect(notices.map((l) => l.userIds)).toEqual([[ANN], [BOB, DAN], [CID]]);
  });
});

describe('fanOutNotices', () => {
  const at = (deviceId: string, gatewayId: string): Address => ({
    deviceId,
    gatewayId,
    bootId: 'b',
    connectionId: `${deviceId}-socket`,
  });
  const routes: Record<string, Address[]> = {
    [ANN]: [at('phone', 'g1'), at('desk', 'g2')],
    [BOB]: [at('pad', 'g1'), at('box', 'g1')],
  };
  const routesOf = (userId: string): Address[] => routes[userId] ?? [];

  it('leaves out the device that raised the marks and packs one box per gateway', () => {
    const notices = [
      { frame: 'own', userIds: [ANN], exceptDevice: 'phone' },
      { frame: 'other', userIds: [BOB, CID], exceptDevice: null },
    ];
    expect(fanOutNotices(notices, routesOf)).toEqual([
      {
        gatewayId: 'g2',
        bootId: 'b',
        parcels: [{ connections: ['desk-socket'], frame: 'own' }],
      },
      {
        gatewayId: 'g1',
        bootId: 'b',
        parcels: [{ connections: ['pad-socket', 'box-socket'], frame: 'other' }],
      },
    ]);
  });
});
