import { mediaEnv } from '@tidings/common/media/media-env';
import { z } from 'zod';
import {
  commonEnv,
  databaseEnv,
  internalUrlEnv,
  kafkaEnv,
  loginPolicyEnv,
  redisEnv,
} from '@tidings/common/runtime/env';

/** What the storage service reads from its environment. */
export const storageEnv = commonEnv.extend({
  ...kafkaEnv.shape,
  ...redisEnv.shape,
  ...databaseEnv.shape,
  ...internalUrlEnv.shape,
  ...mediaEnv.shape,
  ...loginPolicyEnv.shape,
  MEDIA_ORPHAN_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .default(24 * 3600)
    .meta({
      description: 'How long an upload waits for a message that shows it.',
      unit: 'seconds',
    }),
  MEDIA_SWEEP_SECONDS: z.coerce.number().min(0.1).default(20).meta({
    description: 'How often uploads that nothing shows are looked for.',
    unit: 'seconds',
  }),
  EXPIRY_SWEEP_SECONDS: z.coerce.number().min(0.1).default(5).meta({
    description: 'How often expired messages are cleared.',
    unit: 'seconds',
  }),
  BROADCASTS_PER_HOUR: z.coerce.number().int().min(0).default(6).meta({
    description:
      'How many broadcasts all broadcasters together may write in an hour; 0: any number.',
    unit: 'broadcasts',
  }),
  JOURNAL_SWEEP_SECONDS: z.coerce.number().min(0).default(3600).meta({
    description:
      "How often Redis' append-only file and PostgreSQL's write-ahead log, which have expired texts, are rewritten; 0: never.",
    unit: 'seconds',
  }),
});
export type StorageEnv = z.output<typeof storageEnv>;

/** What `main.js prepare` needs: no listener, no secrets of the cluster. */
export const toolEnv = z.object({
  ...kafkaEnv.shape,
  ...databaseEnv.shape,
  NODE_ENV: commonEnv.shape.NODE_ENV,
  LOG_LEVEL: commonEnv.shape.LOG_LEVEL,
  ALLOW_INSECURE: commonEnv.shape.ALLOW_INSECURE,
  NODE_ID: commonEnv.shape.NODE_ID.default('storage-tool').meta({
    ...commonEnv.shape.NODE_ID.meta(),
  }),
});
export type ToolEnv = z.output<typeof toolEnv>;

/** What `main.js rebuild` needs: PostgreSQL alone. */
export const rebuildEnv = toolEnv.omit({
  KAFKA_BROKERS: true,
  KAFKA_PARTITIONS: true,
  KAFKA_REPLICATION: true,
  KAFKA_MIN_INSYNC: true,
});
export type RebuildEnv = z.output<typeof rebuildEnv>;
