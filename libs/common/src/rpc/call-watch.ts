import type { Counter } from 'prom-client';
import type { Logger } from '../runtime/logger';
import type { Metrics } from '../runtime/metrics';

/**
 * Why a call to another service failed.
 * - `unreachable`: no connection, or it ended.
 * - `silent`: no sign of life in time; others were asked, too.
 * - `late`: no answer in time.
 * - `broken`: an answer that was empty or cut off.
 * - `refused`: the other side did not accept the call.
 * - `error`: an answer with a status of 500 or more.
 */
export type CallFailure = 'unreachable' | 'silent' | 'late' | 'broken' | 'refused' | 'error';

/** A call that has been failing since its last success, as the health answer shows it. */
export interface FailingCall {
  service: string;
  /** Host and port of the instance. */
  node: string;
  call: string;
  /** Times of the first failure since the last success, and of the latest one. ISO 8601. */
  since: string;
  last: string;
  failures: number;
  cause: string;
}

/** What a client of one service reports about its calls. */
export interface CallReport {
  answered(node: string, call: string): void;
  failed(node: string, call: string, failure: CallFailure, cause: string): void;
}

/** A failure that is followed by nothing is forgotten after this time, in milliseconds. */
const FORGET_MS = 10 * 60_000;
/** The longest cause that is kept, in characters. */
const CAUSE_LENGTH = 200;

interface Failing {
  service: string;
  node: string;
  call: string;
  since: number;
  last: number;
  failures: number;
  cause: string;
}

/**
 * Which calls to other services fail: a line in the log when a call starts to fail and when it
 * works again, a metric for every failure, and a list for the health answer. Bounded by instances ×
 * calls.
 */
export class CallWatch {
  private readonly failing = new Map<string, Failing>();
  private readonly failures: Counter<'service' | 'call' | 'reason'>;

  constructor(
    metrics: Metrics,
    private readonly logger: Logger,
    private readonly now: () => number = Date.now,
  ) {
    this.failures = metrics.counter(
      'internal_call_failures_total',
      'Calls to other services that failed, once per instance asked',
      ['service', 'call', 'reason'],
    );
  }

  /** Receives the reports about the calls to one service. */
  of(service: string): CallReport {
    return {
      answered: (node, call) => this.answered(service, node, call),
      failed: (node, call, failure, cause) => {
        this.failures.inc({ service, call, reason: failure });
        this.failed({ service, node, call }, `${failure}: ${cause}`.slice(0, CAUSE_LENGTH));
      },
    };
  }

  /** The calls that are failing at the moment, the longest failing first. */
  list(): FailingCall[] {
    const now = this.now();
    for (const [key, { last }] of this.failing) {
      if (now - last > FORGET_MS) this.failing.delete(key);
    }
    return [...this.failing.values()].map((one) => ({
      ...one,
      since: new Date(one.since).toISOString(),
      last: new Date(one.last).toISOString(),
    }));
  }

  private answered(service: string, node: string, call: string): void {
    if (this.failing.size === 0) return;
    const key = `${service} ${node} ${call}`;
    const before = this.failing.get(key);
    if (!before) return;
    this.failing.delete(key);
    const { failures, since } = before;
    const seconds = (this.now() - since) / 1000;
    this.logger.info({ service, node, call, failures, seconds }, 'an internal call works again');
  }

  private failed(which: { service: string; node: string; call: string }, cause: string): void {
    const key = `${which.service} ${which.node} ${which.call}`;
    const now = this.now();
    const before = this.failing.get(key);
    if (before) {
      Object.assign(before, { last: now, failures: before.failures + 1, cause });
      return;
    }
    this.failing.set(key, { ...which, since: now, last: now, failures: 1, cause });
    this.logger.warn({ ...which, cause }, 'an internal call fails');
  }
}
