import 'reflect-metadata';
import { EnvironmentError, exitCodeOf, loadEnvOrExit } from '@tidings/common/runtime/env';
import { createLogger } from '@tidings/common/runtime/logger';
import { serve } from '@tidings/common/runtime/serve';
import { prepare } from './prepare';
import { rebuild } from './rebuild/rebuild';
import { Storage } from './storage';
import { rebuildEnv, storageEnv, toolEnv } from './storage.env';

/**
 * `main.js`: the service; `main.js prepare [--repair]`: schema and topics; `main.js rebuild derived [--check]`: what
 * PostgreSQL derives from messages, anew.
 */
const [command, ...words] = process.argv.slice(2);

const REPAIR = '--repair';

async function runTool(): Promise<void> {
  const env = loadEnvOrExit(toolEnv);
  const logger = createLogger({ service: 'storage', nodeId: env.NODE_ID, level: env.LOG_LEVEL });
  try {
    if (command !== 'prepare') {
      throw new Error(`unknown command ${command}: prepare and rebuild are known`);
    }
    const unknown = words.find((word) => word !== REPAIR);
    if (unknown !== undefined) throw new Error(`unknown word ${unknown}: prepare takes ${REPAIR}`);
    await prepare(env, logger, { repair: words.includes(REPAIR) });
  } catch (error) {
    logger.fatal({ err: error }, error instanceof Error ? error.message : String(error));
    if (error instanceof EnvironmentError) process.stderr.write(`${error.message}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

if (command === undefined) {
  serve({
    name: 'storage',
    env: storageEnv,
    startedAfter: ['ready'],
    make: (options) => new Storage(options),
  });
} else if (command === 'rebuild') {
  void rebuild(loadEnvOrExit(rebuildEnv), words).then((status) => (process.exitCode = status));
} else void runTool();
