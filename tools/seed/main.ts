import { toolEnv } from '../../apps/storage/src/storage.env';
import { loadEnvOrExit } from '@tidings/common/runtime/env';
import { createLogger } from '@tidings/common/runtime/logger';
import { conversationsPlan, seedConversations } from './seed-conversations';
import { seed } from './seed-users';

/**
 * `main.js users …`: users for load tests; `main.js conversations …`: what they have said. It writes into storage's
 * tables as storage would, and is no part of the image.
 */
const [command, ...args] = process.argv.slice(2);

async function run(): Promise<void> {
  const env = loadEnvOrExit(toolEnv);
  const logger = createLogger({ service: 'storage', nodeId: env.NODE_ID, level: env.LOG_LEVEL });
  try {
    if (command === 'users') await seed(env, args, logger);
    else if (command === 'conversations') {
      await seedConversations(env, conversationsPlan(args), logger);
    } else {
      throw new Error(`unknown command ${command}: users and conversations are known`);
    }
  } catch (error) {
    logger.fatal({ err: error }, error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

void run();
