import { z } from 'zod';
import { FilesystemDriver } from './filesystem-driver';
import type { MediaDriver } from './media-driver';
import { S3Driver } from './s3-driver';

/** Where the bytes of uploads are stored: the same place for storage and all gateways. */
export const mediaEnv = z.object({
  MEDIA_DIR: z.string().min(1).default('.data/media').meta({
    description:
      'Folder of uploads, the same for all gateways and storage; unless a bucket is named.',
  }),
  MEDIA_S3_BUCKET: z.string().min(3).optional().meta({
    description: 'Bucket for uploads, on a server that speaks S3, instead of `MEDIA_DIR`.',
  }),
  MEDIA_S3_REGION: z.string().default('us-east-1').meta({ description: 'Region of the bucket.' }),
  MEDIA_S3_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' })
    .optional()
    .meta({
      description: 'Address of the server that speaks S3.',
      unset: "Amazon's",
      clearText: 's3',
    }),
  MEDIA_S3_ACCESS_KEY_ID: z.string().min(1).optional().meta({
    description: 'Id of the key for the bucket.',
    unset: 'what the environment says to the AWS SDK',
    goesWith: 'MEDIA_S3_SECRET_ACCESS_KEY',
  }),
  MEDIA_S3_SECRET_ACCESS_KEY: z.string().min(1).optional().meta({
    description: 'The key for the bucket.',
    secret: 'password',
    goesWith: 'MEDIA_S3_ACCESS_KEY_ID',
  }),
});
export type MediaEnv = z.output<typeof mediaEnv>;

/** The driver that the environment names. */
export function createMediaDriver(env: MediaEnv): MediaDriver {
  if (env.MEDIA_S3_BUCKET === undefined) return new FilesystemDriver(env.MEDIA_DIR);
  const accessKeyId = env.MEDIA_S3_ACCESS_KEY_ID;
  const secretAccessKey = env.MEDIA_S3_SECRET_ACCESS_KEY;
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    throw new Error('MEDIA_S3_ACCESS_KEY_ID and MEDIA_S3_SECRET_ACCESS_KEY go together');
  }
  return new S3Driver({
    bucket: env.MEDIA_S3_BUCKET,
    region: env.MEDIA_S3_REGION,
    endpoint: env.MEDIA_S3_ENDPOINT,
    credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined,
  });
}
