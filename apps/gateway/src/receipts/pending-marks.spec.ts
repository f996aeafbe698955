import { PendingMarks, type DeviceMarks } from './pending-marks';

const marks = (fields: Partial<DeviceMarks> = {}): DeviceMarks => ({
  conversationId: 'c',
  userId: 'u',
  deviceId: 'd',
  delivered: '0',
  read: '0',
  at: 0,
  ...fields,
});

describe('PendingMarks', () => {
  it('lets the first of a window go at once and joins the rest until it ends', () => {
    const pending = new PendingMarks(10);
    pending.add(marks({ delivered: '9', at: 5 }));
    pending.add(marks({ delivered: '10', at: 6 }));
    expect(pending.takeFirst()).toEqual([marks({ delivered: '10', at: 5 })]);
    pending.add(marks({ delivered: '12' }));
    pending.add(marks({ read: '13', delivered: '11' }));
    expect(pending.takeFirst()).toEqual([]);
    expect(pending.takeAll()).toEqual([marks({ delivered: '13', read: '13' })]);
    // that record counts for the window which begins with it
    pending.add(marks({ delivered: '14' }));
    expect(pending.takeFirst()).toEqual([]);
    expect(pending.takeAll()).toHaveLength(1);
    expect(pending.takeAll()).toEqual([]);
    expect(pending.idle).toBe(true);
  });

  it('keeps devices and conversations apart', () => {
    const pending = new PendingMarks(10);
    pending.add(marks({ delivered: '1' }));
    pending.add(marks({ delivered: '2', deviceId: 'e' }));
    pending.add(marks({ delivered: '3', conversationId: 'x' }));
    expect(pending.takeFirst().map((m) => m.delivered)).toEqual(['1', '2', '3']);
  });

  it('never takes what is lower', () => {
    const pending = new PendingMarks(10);
    pending.add(marks({ delivered: '100', read: '50' }));
    pending.add(marks({ delivered: '99', read: '9' }));
    expect(pending.takeFirst()).toEqual([marks({ delivered: '100', read: '50' })]);
  });

  it('has room for so many pairs, and always for what joins one of them', () => {
    const pending = new PendingMarks(3);
    const taken = Array.from({ length: 5 }, (_, i) => pending.add(marks({ deviceId: `d${i}` })));
    expect(taken).toEqual([true, true, true, false, false]);
    expect(pending.size).toBe(3);
    expect(pending.add(marks({ deviceId: 'd1', read: '7' }))).toBe(true);
    const left = pending.takeAll();
    expect(left).toHaveLength(3);
    expect(left[1]).toMatchObject({ deviceId: 'd1', read: '7', delivered: '7' });
    // a window remembers no more pairs than there is room for
    for (let i = 0; i < 50; i++) {
      pending.add(marks({ deviceId: `x${i}` }));
      pending.takeFirst();
    }
    expect(pending.size).toBeLessThanOrEqual(3);
  });
});
