import type { RunReport } from '../load/measure';
import type { SyncReport } from '../load/syncs';
import { FailedRunError, condense } from './condense';

const latency = { count: 5, p50: 1, p90: 2, p99: 3, p999: 4, max: 5 };
const none = { count: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
const verdict = { outcome: 'PASSED', reasons: [] } as const;
const shared = { seed: 7, verdict, generatorShare: 0.2, foreignCores: 0.1 };

/** As much of a report as is read, as it comes out of its file. */
const messages = {
  ...shared,
  subject: 'product',
  deliveriesPerSecond: 99.7,
  connect: { open: 4 },
  result: {
    scheduled: 50,
    latency: { sent: latency, delivered: latency, stored: latency },
    scheduleLag: { ...latency, p99: 0.4 },
    resent: 0,
    held: 0,
    undeliveredAtEnd: 0,
    ledger: { acknowledged: 50, repaired: 0 },
    receipts: null,
    presence: null,
  },
  churn: null,
  cpuUsPerMessage: { 'gateway-1': 30, gone: null },
  memoryBytes: { 'gateway-1': 2 ** 21 },
  unstoredAtEnd: 1,
} as unknown as RunReport;

const syncs = {
  ...shared,
  name: 'connect, equal digests',
  rowsRead: 0,
  presence: null,
  result: {
    scheduled: 9,
    right: 9,
    latency: { ticket: latency, upgraded: latency, synced: latency, closed: none },
    scheduleLag: latency,
  },
  cpuUsPerSync: { storage: 1 },
} as unknown as SyncReport;

describe('a report is condensed', () => {
  it('of messages', () => {
    expect(condense({ runs: [messages] })).toMatchObject([
      {
        variant: 'product',
        seed: 7,
        latencyMs: { delivered: latency },
        counts: { acknowledged: 50, 'unstored at the end': 1, 'deliveries per second': 100 },
        cpuUs: { 'gateway-1': 30 },
        memoryMiB: { 'gateway-1': 2 },
        generator: { share: 0.2, lagP99Ms: 0.4 },
      },
    ]);
  });

  it('of messages that are read', () => {
    const result = { ...messages.result, receipts: { seen: latency } };
    const [run] = condense({ runs: [{ ...messages, result } as RunReport] });
    expect(run).toMatchObject({
      variant: 'everybody reads',
      latencyMs: { 'read → shown': latency },
    });
  });

  it('of syncs, with what was measured and no more', () => {
    const [run] = condense({ runs: [syncs] });
    expect(run).toMatchObject({ variant: 'connect, equal digests', cpuUs: { storage: 1 } });
    expect(Object.keys(run!.latencyMs)).toEqual(['ticket', 'upgraded', 'synced']);
    expect(run!.counts).toEqual({ scheduled: 9, 'answered right': 9, 'rows of messages read': 0 });
  });

  it('of changes of presence, with the CPU of a change', () => {
    const presence = {
      seen: { state: latency, close: latency, connect: latency },
      messages: {
        calm: { sent: latency, delivered: latency },
        churn: { sent: latency, delivered: { ...latency, p99: 6 } },
      },
      runChanges: 30,
      sights: { seen: 600, excused: 1, lost: 0 },
      compared: 80,
    };
    const churn = {
      cpuUsPerChange: { 'gateway-1': 700, gone: null },
      serverCores: { calm: 0.2, churn: 0.4 },
      generatorShare: 0.1,
    };
    const run = { ...messages, result: { ...messages.result, presence }, churn };
    expect(condense({ runs: [run as unknown as RunReport] })).toMatchObject([
      {
        variant: 'product',
        latencyMs: { delivered: latency, 'state → seen': latency, 'delivered, churn': { p99: 6 } },
        counts: { 'changes measured': 30, 'times seen': 600, lost: 0, 'last words compared': 80 },
        cpuUs: { 'gateway-1': 700 },
      },
    ]);
  });

  it('of idle connections', () => {
    const figure = { gateway: 'gateway-1', connections: [10, 20], residentBytes: [0, 2 ** 20] };
    const figures = [{ ...figure, bytesPerConnection: 4800.4 }] as never;
    expect(
      condense({ idle: { figures, connectMs: [1.2, 2.3], redisPerConnection: 1 } }),
    ).toMatchObject([
      {
        variant: 'product',
        bytesPerConnection: { 'gateway-1': 4800 },
        memoryMiB: { 'gateway-1': 1 },
      },
    ]);
  });

  it('never where something was wrong', () => {
    const lost = { outcome: 'FAILED' as const, reasons: ['lost × 2: message 7'] };
    expect(() => condense({ runs: [messages, { ...messages, verdict: lost }] })).toThrow(
      new FailedRunError('lost × 2: message 7'),
    );
  });
});
