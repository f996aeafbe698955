import { commonEnv, databaseEnv, kafkaEnv, redisEnv } from '@tidings/common/runtime/env';
import type { z } from 'zod';

/** What the presence service reads from its environment. */
export const presenceEnv = commonEnv
  .extend(kafkaEnv.shape)
  .extend(redisEnv.shape)
  .extend(databaseEnv.shape);

export type PresenceEnv = z.output<typeof presenceEnv>;
