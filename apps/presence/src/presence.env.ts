import {
  commonEnv,
  databaseEnv,
  internalUrlEnv,
  kafkaEnv,
  redisEnv,
} from '@tidings/common/runtime/env';
import { z } from 'zod';

/** What the presence service reads from its environment. */
export const presenceEnv = commonEnv
  .extend(kafkaEnv.shape)
  .extend(redisEnv.shape)
  .extend(internalUrlEnv.shape)
  .extend(databaseEnv.shape)
  .extend({
    AWAY_SECONDS: z.coerce.number().int().min(1).max(86_400).default(300).meta({
      description: 'Whoever is connected and did nothing for so long is away.',
    }),
    PRESENCE_GRACE_SECONDS: z.coerce.number().int().min(1).max(600).default(15).meta({
      description:
        'How long somebody whose connection or gateway is lost stays as they are, from the last sign of life.',
    }),
  });

export type PresenceEnv = z.output<typeof presenceEnv>;
