import {
  commonEnv,
  internalUrlEnv,
  kafkaEnv,
  redisEnv,
  storageUrlsEnv,
} from '@tidings/common/runtime/env';
import type { z } from 'zod';

/** What the session service reads from its environment. */
export const sessionEnv = commonEnv
  .extend(kafkaEnv.shape)
  .extend(redisEnv.shape)
  .extend(internalUrlEnv.shape)
  .extend(storageUrlsEnv.shape);

export type SessionEnv = z.output<typeof sessionEnv>;
