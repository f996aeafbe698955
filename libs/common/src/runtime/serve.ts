import type { z } from 'zod';
import { type commonEnv, loadEnvOrExit } from './env';
import { Readiness, tellReadiness } from './health';
import type { Step } from './lifecycle';
import { createLogger } from './logger';
import { Metrics } from './metrics';
import { runService } from './run';
import type { ServiceOptions } from './service';
import { StartTimeline } from './start-timeline';

/**
 * The `main` of a service that reads the log: settings, logger, metrics and readiness, then the
 * steps that `make` returns. Exits when the settings are wrong.
 */
export function serve<Schema extends typeof commonEnv>(service: {
  name: string;
  env: Schema;
  /** The steps that complete the start, whichever comes last. */
  startedAfter: readonly string[];
  make(options: ServiceOptions<z.output<Schema>>): { steps(): Step[] };
}): void {
  const env = loadEnvOrExit(service.env);
  const { NODE_ID: nodeId, LOG_LEVEL: level } = env;
  const logger = createLogger({ service: service.name, nodeId, level });
  const metrics = new Metrics({ service: service.name, node: nodeId });
  const timeline = new StartTimeline(metrics, logger, service.startedAfter);
  timeline.done('program');
  const readiness = new Readiness(logger);
  tellReadiness(metrics, readiness);
  const onFatal = (error: Error): void => running.fatal(error.message, error);
  const made = service.make({ env, logger, metrics, readiness, timeline, onFatal });
  const running = runService({ logger, readiness, steps: made.steps(), timeline });
}
