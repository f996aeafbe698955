import { FakeKafka } from '../../../../../test/support/fake-kafka';
import { createKafka } from '../wire/client';
import { BarrierTimeoutError, Watermarks } from './watermarks';

const TOPIC = 'log';
const record = { key: 'k', value: 'v', headers: {} };

let kafka: FakeKafka;
let watermarks: Watermarks;
let calls: { served: number; ok: boolean }[];

beforeEach(async () => {
  kafka = await FakeKafka.start({ topic: TOPIC, partitions: 4, nodes: 2 });
  kafka.logs[1]!.push(record, record);
  calls = [];
  watermarks = new Watermarks(createKafka({ brokers: kafka.brokers, clientId: 'spec' }), TOPIC, {
    timeoutMs: 400,
    onCall: (call) => calls.push(call),
  });
  await watermarks.start();
});

afterEach(async () => {
  watermarks.stop();
  await kafka.stop();
});

it('answers the next offset of every partition', async () => {
  expect(await watermarks.barrier()).toEqual([0n, 2n, 0n, 0n]);
  kafka.logs[3]!.push(record);
  expect(await watermarks.barrier()).toEqual([0n, 2n, 0n, 1n]);
});

it('serves everybody who waits with one call per leader', async () => {
  await Promise.all(Array.from({ length: 50 }, () => watermarks.barrier()));
  expect(calls).toMatchObject([{ served: 50, ok: true }]);
  expect(kafka.listOffsetsCalls).toBe(2);
});

it('lets whoever comes during a call wait for the next one', async () => {
  kafka.latencyMs = 50;
  const first = watermarks.barrier();
  await new Promise((resolve) => setTimeout(resolve, 20));
  kafka.logs[0]!.push(record);
  const second = watermarks.barrier();
  const third = watermarks.barrier();
  expect((await first)[0]).toBe(0n);
  expect((await second)[0]).toBe(1n);
  expect(await third).toEqual(await second);
  expect(calls.map(({ served }) => served)).toEqual([1, 2]);
});

it('follows a leader that moves', async () => {
  await watermarks.barrier();
  kafka.leaders[1] = 0;
  expect(await watermarks.barrier()).toEqual([0n, 2n, 0n, 0n]);
});

it('answers null for a partition without a leader, and the others all the same', async () => {
  kafka.leaders[2] = -1;
  expect(await watermarks.barrier()).toEqual([0n, 2n, null, 0n]);
});

it('waits for a leader that comes back in time', async () => {
  kafka.leaders[2] = -1;
  setTimeout(() => (kafka.leaders[2] = 0), 100);
  expect(await watermarks.barrier()).toEqual([0n, 2n, 0n, 0n]);
});

it('rejects in time when no broker answers, and works again afterwards', async () => {
  kafka.latencyMs = 10_000;
  const startedAt = performance.now();
  const first = watermarks.barrier();
  const later = new Promise((resolve) => setTimeout(resolve, 100)).then(() => watermarks.barrier());
  await expect(first).rejects.toThrow(BarrierTimeoutError);
  await expect(later).rejects.toThrow(BarrierTimeoutError);
  expect(performance.now() - startedAt).toBeLessThan(900);
  kafka.latencyMs = 0;
  expect(await watermarks.barrier()).toEqual([0n, 2n, 0n, 0n]);
});

it('works again after its connections were lost', async () => {
  await kafka.kill(0);
  await kafka.kill(1);
  await expect(watermarks.barrier()).rejects.toThrow(BarrierTimeoutError);
  await kafka.revive(0);
  await kafka.revive(1);
  expect(await watermarks.barrier()).toEqual([0n, 2n, 0n, 0n]);
});

it('rejects everybody when it stops', async () => {
  kafka.latencyMs = 100;
  const waiting = watermarks.barrier();
  watermarks.stop();
  await expect(waiting).rejects.toThrow(BarrierTimeoutError);
  await expect(watermarks.barrier()).rejects.toThrow(BarrierTimeoutError);
});
