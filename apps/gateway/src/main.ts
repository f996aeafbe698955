import 'reflect-metadata';
import { loadEnvOrExit } from '@tidings/common/runtime/env';
import { Readiness } from '@tidings/common/runtime/health';
import { createLogger } from '@tidings/common/runtime/logger';
import { runService } from '@tidings/common/runtime/run';
import { gatewayEnv } from './gateway.env';
import { IMAGE_COMMAND, serveImages } from './media/image-process';
import { StartSteps } from './start-steps';

function main(): void {
  const env = loadEnvOrExit(gatewayEnv);
  const logger = createLogger({ service: 'gateway', nodeId: env.NODE_ID, level: env.LOG_LEVEL });
  const readiness = new Readiness(logger);
  const fatal = (reason: string, error?: unknown): void => running.fatal(reason, error);
  const parts = new StartSteps(env, logger, readiness, fatal);
  const running = runService({
    logger,
    readiness,
    timeline: parts.timeline,
    drainMs: env.DRAIN_SECONDS * 1000,
    steps: [
      parts.health,
      parts.connections,
      parts.heldMessages,
      parts.log,
      parts.reporting,
      parts.boot,
      parts.listener,
      parts.clients,
      parts.adoption,
      parts.directory,
    ],
  });
}

if (process.argv[2] === IMAGE_COMMAND) serveImages();
else main();
