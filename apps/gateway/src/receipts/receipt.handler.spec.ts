import { TidingsError } from '@tidings/protocol/errors';
import type { MarkFrame } from '@tidings/protocol/frames';
import { Metrics } from '@tidings/common/runtime/metrics';
import { WriteQueue } from '../socket/write-queue';
import { fakeConnection } from '../testing/fake-connection';
import { HttpReceiptsService } from './http-receipts.service';
import { ReceiptHandler } from './receipt.handler';
import { ReceiptJudge } from './receipt-judge';
import { ReceiptMetrics } from './receipt.metrics';

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A handler over a membership and a log's end that the test sets. */
function setUp(most?: number) {
  const world = { known: true, member: true, end: 100, kafka: true };
  const { connection, frames } = fakeConnection();
  const taken: object[] = [];
  const registry = new Metrics({ service: 'gateway', node: 'g' });
  const metrics = new ReceiptMetrics(registry);
  const membership = {
    isKnown: () => world.known,
    require: () =>
      world.member ? Promise.resolve() : Promise.reject(new TidingsError('no_such_conversation')),
  };
  const ends = {
    covers: (_id: string, position: string) => Number(position) < world.end / 2,
    reaches: (_id: string, position: string) =>
      Promise.resolve(world.kafka ? Number(position) < world.end : null),
  };
  const judge = new ReceiptJudge(membership, ends as never);
  const receipts = {
    take: (marks: object) => taken.push(marks) > 0,
    append: (marks: object) => Promise.resolve(taken.push(marks) > 0),
  } as never;
  const writes = new WriteQueue({ overflow: jest.fn() });
  const handler = new ReceiptHandler({ judge, receipts, metrics, writes }, most);
  const service = new HttpReceiptsService(judge, receipts);
  connection.welcomed = true;
  const errors = () => frames.map((f) => JSON.parse(f) as Record<string, unknown>);
  const frame = (type: 'received' | 'read', position: number): MarkFrame => ({
    type,
    conversationId: 'c',
    position: String(position),
  });
  const handle = (marks: MarkFrame): void => void handler.handle(connection, marks);
  return { world, connection, handle, service, taken, errors, frame, registry };
}

describe('ReceiptHandler', () => {
  it('takes what memory knows in the same turn; read implies delivered', () => {
    const { handle, connection, taken, frame } = setUp();
    const { userId, deviceId } = connection;
    handle(frame('received', 5));
    handle(frame('read', 4));
    expect(taken).toEqual([
      { conversationId: 'c', userId, deviceId, delivered: '5', read: '0' },
      { conversationId: 'c', userId, deviceId, delivered: '4', read: '4' },
    ]);
  });

  it.each([
    ['an outsider', { known: false, member: false }, 5, 'no_such_conversation'],
    ['a position beyond the log', {}, 100, 'invalid_request'],
    ['a position that Kafka cannot judge', { kafka: false }, 60, 'unavailable'],
  ])('answers %s with an error about the conversation', async (_who, change, position, code) => {
    const { world, handle, taken, errors, frame } = setUp();
    Object.assign(world, change);
    handle(frame('read', position));
    await settle();
    expect(errors()).toEqual([
      expect.objectContaining({ type: 'error', code, conversationId: 'c' }),
    ]);
    expect(taken).toEqual([]);
  });

  it('asks where memory does not know, and takes it then', async () => {
    const { world, handle, taken, errors, frame } = setUp();
    world.known = false;
    handle(frame('received', 99));
    expect(taken).toEqual([]);
    await settle();
    expect(taken).toHaveLength(1);
    expect(errors()).toEqual([]);
  });

  it('asks for so many at a time; more are dropped and counted', async () => {
    const { handle, taken, frame, registry } = setUp(2);
    for (let i = 0; i < 5; i++) handle(frame('received', 60 + i));
    await settle();
    expect(taken).toHaveLength(2);
    const metric = await registry.registry.getSingleMetric('tidings_receipts_dropped_total')!.get();
    expect(metric.values).toEqual([expect.objectContaining({ labels: { why: 'busy' }, value: 3 })]);
    handle(frame('received', 70));
    await settle();
    expect(taken).toHaveLength(3);
  });
});

describe('HttpReceiptsService', () => {
  it('judges like a frame', async () => {
    const { world, service, taken } = setUp();
    const ann = { userId: 'ann', deviceId: 'd' };
    expect(await service.raise(ann, 'c', { delivered: '60', read: '40' })).toBe(true);
    expect(taken).toEqual([{ conversationId: 'c', ...ann, delivered: '60', read: '40' }]);
    await expect(service.raise(ann, 'c', { read: '100' })).rejects.toMatchObject({
      code: 'invalid_request',
    });
    Object.assign(world, { known: false, member: false });
    await expect(service.raise(ann, 'c', { read: '1' })).rejects.toMatchObject({
      code: 'no_such_conversation',
    });
  });
});
