import 'reflect-metadata';
import { loadEnvOrExit } from '@tidings/common/runtime/env';
import { Readiness } from '@tidings/common/runtime/health';
import { createLogger } from '@tidings/common/runtime/logger';
import { runService } from '@tidings/common/runtime/run';
import { gatewayEnv } from './gateway.env';
import { IMAGE_COMMAND, serveImages } from './media/image-process';
import { StartSteps } from './start-steps';

async function main(): Promise<void> {
  const env = loadEnvOrExit(gatewayEnv);
  const logger = createLogger({ service: 'gateway', nodeId: env.NODE_ID, level: env.LOG_LEVEL });
  const readiness = new Readiness(logger);
  let fatal = (reason: string): void => {
    throw new Error(reason);
  };
  const parts = new StartSteps(env, logger, readiness, (reason) => fatal(reason));
  const running = await runService({
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
  fatal = (reason) => running.fatal(reason);
}

if (process.argv[2] === IMAGE_COMMAND) {
  serveImages();
} else {
  main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  });
}
