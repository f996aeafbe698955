import { JOINED_OVER_MS } from '../lanes/joined-receipts';
import { Metrics } from '@tidings/common/runtime/metrics';
import { FakeWriter } from '../testing/fake-writer';
import { ReceiptMetrics } from './receipt.metrics';
import { ReceiptLog } from './receipt-log';

const marks = (fields: object = {}) => ({
  conversationId: 'c',
  userId: 'u',
  deviceId: 'd',
  delivered: '0',
  read: '0',
  ...fields,
});

describe('ReceiptLog', () => {
  let writer: FakeWriter;
  let metrics: Metrics;
  let log: ReceiptLog;
  let shed: boolean;

  const start = (most?: number): void => {
    writer = new FakeWriter();
    metrics = new Metrics({ service: 'gateway', node: 'g' });
    const receipts = new ReceiptMetrics(metrics);
    const clock = (): number => Date.now();
    shed = false;
    const lanes = { sheds: () => shed };
    log = new ReceiptLog({ writer, metrics: receipts, lanes, clock, wallClock: clock }, most);
  };
  const values = () => writer.appends.map((a) => JSON.parse(String(a.record.value)) as object);
  const dropped = async (why: string): Promise<number | undefined> => {
    const metric = await metrics.registry.getSingleMetric('tidings_receipts_dropped_total')!.get();
    return metric.values.find((v) => v.labels['why'] === why)?.value;
  };

  beforeEach(() => {
    jest.useFakeTimers();
    start();
  });
  afterEach(() => {
    log.stop();
    jest.useRealTimers();
  });

  it('appends the first marks soon, later ones of the same device once per half second', () => {
    log.take(marks({ delivered: '1' }));
    jest.advanceTimersByTime(50);
    expect(values()).toEqual([expect.objectContaining({ delivered: '1', deviceId: 'd' })]);
    expect(values()[0]).not.toHaveProperty('read');
    for (let i = 2; i <= 9; i++) {
      log.take(marks({ delivered: String(i), read: String(i - 1) }));
      jest.advanceTimersByTime(40);
    }
    jest.advanceTimersByTime(500);
    expect(values().length).toBeLessThanOrEqual(3);
    expect(values().at(-1)).toMatchObject({ delivered: '9', read: '8' });
    expect(writer.appends[0]!.record).toMatchObject({ key: 'c', type: 'tidings.receipt.v1' });
  });

  it('writes nothing for a position below every entry', async () => {
    expect(log.take(marks())).toBe(true);
    expect(await log.append(marks(), 1_000)).toBe(true);
    jest.advanceTimersByTime(1_000);
    expect(writer.appends).toEqual([]);
  });

  it('runs no timer when nothing waits', () => {
    log.take(marks({ read: '1' }));
    jest.advanceTimersByTime(1_000);
    expect(jest.getTimerCount()).toBe(0);
    expect(log.waiting).toBe(0);
  });

  it('keeps the latest of each device while the writer is full, and drops nothing of it', async () => {
    writer.full = true;
    for (let i = 1; i <= 30; i++) {
      log.take(marks({ delivered: String(i) }));
      log.take(marks({ delivered: String(i), deviceId: 'e' }));
      jest.advanceTimersByTime(50);
    }
    expect(log.waiting).toBe(2);
    writer.full = false;
    jest.advanceTimersByTime(500);
    expect(values()).toEqual([
      expect.objectContaining({ delivered: '30', deviceId: 'd' }),
      expect.objectContaining({ delivered: '30', deviceId: 'e' }),
    ]);
    expect(await dropped('full')).toBeUndefined();
  });

  describe('while receipts are shed', () => {
    beforeEach(() => {
      shed = true;
    });

    it('appends of each device and conversation one record in 5 s, with the maximum', async () => {
      for (let i = 1; i <= 40; i++) {
        expect(log.take(marks({ delivered: String(i) }))).toBe(true);
        expect(log.take(marks({ delivered: String(i), deviceId: 'e' }))).toBe(true);
        jest.advanceTimersByTime(100);
      }
      expect(values()).toEqual([]);
      jest.advanceTimersByTime(JOINED_OVER_MS - 4_000 + 100);
      expect(values()).toEqual([
        expect.objectContaining({ delivered: '40', deviceId: 'd' }),
        expect.objectContaining({ delivered: '40', deviceId: 'e' }),
      ]);
      // the next one waits as long, though its device had its record a moment ago
      log.take(marks({ delivered: '41' }));
      jest.advanceTimersByTime(JOINED_OVER_MS - 100);
      expect(values()).toHaveLength(2);
      jest.advanceTimersByTime(200);
      expect(values()).toHaveLength(3);
      jest.advanceTimersByTime(1_000);
      expect(jest.getTimerCount()).toBe(0);
    });

    it('lets all go at once when it is normal again', () => {
      log.take(marks({ read: '1' }));
      jest.advanceTimersByTime(1_000);
      expect(values()).toEqual([]);
      shed = false;
      jest.advanceTimersByTime(50);
      expect(values()).toHaveLength(1);
    });

    it('drops nothing for want of room: what waits leaves early', async () => {
      start(2);
      shed = true;
      for (const conversationId of ['x', 'y', 'z']) {
        expect(log.take(marks({ read: '1', conversationId }))).toBe(true);
      }
      expect(values()).toHaveLength(2);
      expect(log.waiting).toBe(1);
      expect(await dropped('full')).toBeUndefined();
    });

    it('joins what comes over HTTP, too, and says that it is on its way', async () => {
      expect(await log.append(marks({ read: '4' }), 1_000)).toBe(false);
      expect(values()).toEqual([]);
      log.stop();
      expect(values()).toEqual([expect.objectContaining({ read: '4' })]);
      expect(await log.append(marks({ read: '5' }), 1_000)).toBeNull();
    });
  });

  it('drops and counts what has no room', async () => {
    start(2);
    expect(log.take(marks({ read: '1' }))).toBe(true);
    expect(log.take(marks({ read: '1', conversationId: 'x' }))).toBe(true);
    expect(log.take(marks({ read: '1', conversationId: 'y' }))).toBe(false);
    expect(await dropped('full')).toBe(1);
  });

  it('tells who waits for the log how it went, in time', async () => {
    const done = log.append(marks({ read: '4' }), 1_000);
    writer.flush();
    expect(await done).toBe(true);
    const slow = log.append(marks({ read: '5' }), 1_000);
    jest.advanceTimersByTime(1_000);
    expect(await slow).toBe(false);
    writer.full = true;
    expect(await log.append(marks({ read: '6' }), 1_000)).toBe(false);
    expect(log.waiting).toBe(1);
  });

  it('hands everything to the writer when it stops, and takes no more', () => {
    log.take(marks({ read: '1' }));
    log.stop();
    expect(values()).toHaveLength(1);
    expect(log.take(marks({ read: '2' }))).toBe(false);
    expect(jest.getTimerCount()).toBe(0);
  });
});
