import type { TidingsError } from '@tidings/protocol/errors';
import type { Logger } from './logger';
import type { Metrics } from './metrics';
import { countRepeats } from './repeats';

/** What was answered: a call by its method and route, a frame as `WS` and its type. */
export interface Answered {
  method: string;
  route: string;
}

/**
 * Notes answers that blame the server (a status of 500 or more), over HTTP and sockets alike. What
 * a client sends appears neither in the metric nor in the log line.
 */
export class ErrorAnswers {
  private readonly failures;
  private readonly repeats;

  constructor(
    private readonly logger: Pick<Logger, 'warn' | 'error'>,
    metrics: Metrics,
    now: () => number = Date.now,
  ) {
    this.failures = metrics.counter(
      'http_errors_total',
      'Answers with a status of 500 or more: to HTTP requests, upgrades, and frames (method WS)',
      ['method', 'route', 'code'],
    );
    this.repeats = countRepeats(now);
  }

  /** Counts one and logs it. `about`: ids, no contents. */
  note(what: Answered, error: TidingsError, cause: unknown, about: object = {}): void {
    if (error.status < 500) return;
    const labels = { ...what, code: error.code };
    this.failures.inc(labels);
    const level = error.code === 'internal' ? 'error' : 'warn';
    this.logger[level]({ err: cause, ...about, ...labels }, 'request failed');
  }

  /**
   * The same for an upgrade or a frame. These come by the thousand, so equal ones are logged once
   * in a while.
   */
  noteOften(what: Answered, error: TidingsError): void {
    if (error.status < 500) return;
    const labels = { ...what, code: error.code };
    this.failures.inc(labels);
    const repeated = this.repeats(`${what.method} ${what.route} ${error.code}`);
    if (repeated === null) return;
    const level = error.code === 'internal' ? 'error' : 'warn';
    const left = repeated > 0 ? { repeated } : {};
    this.logger[level]({ err: error.cause ?? error, ...labels, ...left }, 'refused on a socket');
  }
}
