import { z } from 'zod';
import { FilesystemDriver } from './filesystem-driver';
import type { MediaDriver } from './media-driver';

/** Where the bytes of uploads lie: the same place for all gateways and storage. */
export const mediaEnv = z.object({
  /** Folder of the filesystem driver. */
  MEDIA_DIR: z.string().min(1).default('.data/media'),
});
export type MediaEnv = z.output<typeof mediaEnv>;

/** The driver that the environment names. */
export function createMediaDriver(env: MediaEnv): MediaDriver {
  return new FilesystemDriver(env.MEDIA_DIR);
}
