import type { RunReport } from '../measure';

const latency = { count: 1000, p50: 2, p90: 4, p99: 9, p999: 12, max: 20 };

/** A run as it is reported, everything in order. */
export function runReport(change: Partial<RunReport> = {}): RunReport {
  return {
    subject: 'product',
    seed: 1,
    seconds: 10,
    deliveriesPerSecond: 100,
    verdict: { outcome: 'PASSED', reasons: [] },
    connect: { open: 4, byGateway: { 'a:1': 4 }, misplaced: 0, limits: {}, ms: 5 },
    result: {
      scheduled: 1000,
      runScheduled: 1000,
      runSent: 1000,
      latency: { sent: { ...latency, p99: 5 }, delivered: latency, stored: latency },
      slices: [],
      scheduleLag: latency,
      refused: {},
      failed: {},
      resent: 0,
      held: 0,
      pending: 0,
      resyncs: 0,
      foreign: 0,
      closed: [],
      undeliveredAtEnd: 3,
      deliveredAfterMs: 4,
      ledger: {
        valid: true,
        acknowledged: 1000,
        unanswered: 0,
        duplicates: 0,
        unknownPrevious: 0,
        repaired: 0,
        errors: [],
      },
      receipts: null,
      presence: null,
    },
    generators: [
      {
        name: 'generator',
        share: 0.3,
        scheduled: 1000,
        sent: 1000,
        scheduleLag: latency,
        loopLag: { p50: 0.1, p99: 1, max: 6 },
        delivered: latency,
      },
    ],
    cpuUsPerMessage: { 'gateway-1': 100, 'session-1': 50, kafka: 70, generator: 60 },
    generatorShare: 0.3,
    foreignCores: 0.1,
    memoryBytes: { 'gateway-1': 2 ** 27 },
    unstoredAtEnd: 1,
    storedAfterMs: 20,
    churn: null,
    stores: null,
    soak: null,
    ...change,
  };
}
