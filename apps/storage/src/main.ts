import 'reflect-metadata';
import { loadEnvOrExit } from '@tidings/common/runtime/env';
import { createLogger } from '@tidings/common/runtime/logger';
import { serve } from '@tidings/common/runtime/serve';
import { prepare } from './prepare';
import { Storage } from './storage';
import { storageEnv, toolEnv } from './storage.env';

/**
 * `main.js`: the service; `main.js prepare`: schema and topics.
 */
const [command] = process.argv.slice(2);

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

if (command === undefined) {
  serve({
    name: 'storage',
    env: storageEnv,
    startedAfter: ['ready'],
    make: (options) => new Storage(options),
  });
} else void runTool();
