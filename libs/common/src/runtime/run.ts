import { EnvironmentError, exitCodeOf } from './env';
import { letHeapGrow } from './heap-growth';
import { Lifecycle, type Step } from './lifecycle';
import type { Logger } from './logger';
import type { Readiness } from './health';
import type { StartTimeline } from './start-timeline';

/**
 * How long a whole stop may take, besides `drainMs`, before the process exits anyway, in
 * milliseconds.
 */
const STOP_LIMIT_MS = 20_000;

/**
 * Runs a service: starts its steps in order, reports ready, and stops them in reverse on SIGTERM,
 * SIGINT, the end of the parent process, or a fatal error (exit code 1, of a setting 78). An unhandled
 * rejection is a defect: it is logged and ends the process, which its supervisor restarts. `started`
 * never rejects.
 */
export function runService(options: {
  logger: Logger;
  readiness: Readiness;
  steps: readonly Step[];
  timeline?: Pick<StartTimeline, 'done'>;
  /** How long its clients may take to leave. */
  drainMs?: number;
}): { fatal: (reason: string, error?: unknown) => void; started: Promise<void> } {
  const { logger, readiness } = options;
  letHeapGrow();
  const lifecycle = new Lifecycle(logger, options.timeline);
  let ending = false;
  const end = (code: number, reason: string): void => {
    if (ending) return;
    ending = true;
    readiness.set(false);
    logger.info({ reason }, 'stopping');
    const limit = setTimeout(() => process.exit(code || 1), STOP_LIMIT_MS + (options.drainMs ?? 0));
    limit.unref();
    void lifecycle.stop().finally(() => process.exit(code));
  };
  const fatal = (reason: string, error?: unknown): void => {
    logger.fatal({ err: error }, reason);
    if (error instanceof EnvironmentError && !ending) process.stderr.write(`${error.message}\n`);
    end(exitCodeOf(error), reason);
  };
  process.on('SIGTERM', () => end(0, 'SIGTERM'));
  process.on('SIGINT', () => end(0, 'SIGINT'));
  process.on('disconnect', () => end(0, 'the parent process ended'));
  process.on('unhandledRejection', (error) => fatal('unhandled rejection', error));
  process.on('uncaughtException', (error) => fatal('uncaught exception', error));
  const start = async (): Promise<void> => {
    try {
      await lifecycle.start(options.steps);
    } catch (error) {
      return fatal('start failed', error);
    }
    if (ending) return;
    readiness.set(true);
    options.timeline?.done('ready');
    logger.info('ready');
  };
  return { fatal, started: start() };
}
