import { TidingsError } from '@tidings/protocol/errors';
import { FairTurns } from '@tidings/common/runtime/fair-turns';
import type { Doer, UserRates } from '../rates/user-rates';
import type { ImageType } from './media-type';
import type { CleanImage, ImageTarget } from './image-codec';
import type { ImageWorker } from './image-process';

/** One image at a time. Those that wait lie on the disk, up to 10 MiB each; each user is a line of its own. */
export const IMAGE_TURNS = {
  concurrency: 1,
  limits: { total: 64, perNetwork: 4, perFlow: 4 },
  waitLimitMs: 30_000,
  detail: 'Too many images wait at the moment',
};

/** Work on images: its own queue, fair between users, and a rate of pixels for each of them. */
export class ImageWorks {
  readonly turns = new FairTurns(IMAGE_TURNS);

  constructor(
    private readonly worker: ImageWorker,
    private readonly rates: Pick<UserRates, 'take'>,
  ) {}

  /**
   * Cleans a user's image, see `ImageCodec.clean`. Throws `busy` when too many images wait,
   * `rate_limited` when the user has had too many pixels lately: then none was decoded.
   */
  clean(doer: Doer, source: string, type: ImageType, target: ImageTarget): Promise<CleanImage> {
    const { userId } = doer;
    return this.turns.take({ network: userId, account: userId }, async () => {
      const megapixels = Math.ceil((await this.worker.measure(source)) / 1e6);
      const retryAfterMs = await this.rates.take(doer, 'pixels', megapixels);
      if (retryAfterMs > 0) {
        const detail = 'Too many megapixels of images lately';
        throw new TidingsError('rate_limited', { detail, retryAfterMs });
      }
      return this.worker.clean(source, type, target);
    });
  }
}
