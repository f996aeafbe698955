import 'reflect-metadata';
import { loadEnvOrExit } from '@tidings/common/runtime/env';
import { Readiness } from '@tidings/common/runtime/health';
import { createLogger } from '@tidings/common/runtime/logger';
import { Metrics } from '@tidings/common/runtime/metrics';
import { runService } from '@tidings/common/runtime/run';
import { StartTimeline } from '@tidings/common/runtime/start-timeline';
import { prepare } from './prepare';
import { Storage } from './storage';
import { storageEnv, toolEnv } from './storage.env';

/**
 * `main.js`: the service; `main.js prepare`: schema and topics.
 */
const [command] = process.argv.slice(2);

function serve(): void {
  const env = loadEnvOrExit(storageEnv);
  const logger = createLogger({ service: 'storage', nodeId: env.NODE_ID, level: env.LOG_LEVEL });
  const metrics = new Metrics({ service: 'storage', node: env.NODE_ID });
  const timeline = new StartTimeline(metrics, logger, ['ready']);
  timeline.done('program');
  const readiness = new Readiness();
  const storage = new Storage({
    env,
    logger,
    metrics,
    readiness,
    onFatal: (error) => void running.then(({ fatal }) => fatal(error.message, error)),
  });
  const running = runService({ logger, readiness, steps: storage.steps(), timeline });
}

async function runTool(): Promise<void> {
  const env = loadEnvOrExit(toolEnv);
  const logger = createLogger({ service: 'storage', nodeId: env.NODE_ID, level: env.LOG_LEVEL });
  try {
    if (command !== 'prepare') throw new Error(`unknown command ${command}: prepare is known`);
    await prepare(env, logger);
  } catch (error) {
    logger.fatal({ err: error }, error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

if (command === undefined) serve();
else void runTool();
