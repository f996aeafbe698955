import 'reflect-metadata';
import { loadEnvOrExit } from '@tidings/common/runtime/env';
import { Readiness } from '@tidings/common/runtime/health';
import { createLogger } from '@tidings/common/runtime/logger';
import { Metrics } from '@tidings/common/runtime/metrics';
import { runService } from '@tidings/common/runtime/run';
import { StartTimeline } from '@tidings/common/runtime/start-timeline';
import { Session } from './session';
import { sessionEnv } from './session.env';

const env = loadEnvOrExit(sessionEnv);
const logger = createLogger({ service: 'session', nodeId: env.NODE_ID, level: env.LOG_LEVEL });
const metrics = new Metrics({ service: 'session', node: env.NODE_ID });
const timeline = new StartTimeline(metrics, logger, ['first push', 'caught up']);
timeline.done('program');
const readiness = new Readiness();
const session = new Session({
  env,
  logger,
  metrics,
  readiness,
  timeline,
  onFatal: (error) => void running.then(({ fatal }) => fatal('the consumer has crashed', error)),
});
const running = runService({ logger, readiness, steps: session.steps(), timeline });
