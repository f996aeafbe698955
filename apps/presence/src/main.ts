import 'reflect-metadata';
import { loadEnvOrExit } from '@tidings/common/runtime/env';
import { Readiness } from '@tidings/common/runtime/health';
import { createLogger } from '@tidings/common/runtime/logger';
import { Metrics } from '@tidings/common/runtime/metrics';
import { runService } from '@tidings/common/runtime/run';
import { StartTimeline } from '@tidings/common/runtime/start-timeline';
import { Presence } from './presence';
import { presenceEnv } from './presence.env';

const env = loadEnvOrExit(presenceEnv);
const logger = createLogger({ service: 'presence', nodeId: env.NODE_ID, level: env.LOG_LEVEL });
const metrics = new Metrics({ service: 'presence', node: env.NODE_ID });
const timeline = new StartTimeline(metrics, logger, ['ready']);
timeline.done('program');
const readiness = new Readiness();
const presence = new Presence({
  env,
  logger,
  metrics,
  readiness,
  onFatal: (error) => void running.then(({ fatal }) => fatal('the consumer has crashed', error)),
});
const running = runService({ logger, readiness, steps: presence.steps(), timeline });
