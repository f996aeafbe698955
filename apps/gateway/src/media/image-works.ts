import { LIMITS } from '@tidings/protocol/limits';
import { FairTurns } from '@tidings/common/runtime/fair-turns';
import type { ImageType } from './media-type';
import { PixelBudget } from './pixel-budget';
import type { CleanImage, ImageTarget } from './image-codec';
import type { ImageWorker } from './image-process';

/** One image at a time. Those that wait lie on the disk, up to 10 MiB each; each user is a line of its own. */
export const IMAGE_TURNS = {
  concurrency: 1,
  limits: { total: 64, perNetwork: 4, perFlow: 4 },
  waitLimitMs: 30_000,
  detail: 'Too many images wait at the moment',
};

/** Work on images: its own queue, fair between users, and a budget of pixels for each of them. */
export class ImageWorks {
  readonly turns = new FairTurns(IMAGE_TURNS);
  private readonly budget: PixelBudget;

  constructor(
    private readonly worker: ImageWorker,
    clock: () => number,
  ) {
    const { imagePixelsBurst: burst, imagePixelsPerMinute: perMinute } = LIMITS;
    this.budget = new PixelBudget({ burst, perMinute }, clock);
  }

  /**
   * Cleans a user's image, see `ImageCodec.clean`. Throws `busy` when too many images wait,
   * `rate_limited` when the user has had too many pixels lately: then none was decoded.
   */
  clean(userId: string, source: string, type: ImageType, target: ImageTarget): Promise<CleanImage> {
    return this.turns.take({ network: userId, account: userId }, async () => {
      this.budget.take(userId, await this.worker.measure(source));
      return this.worker.clean(source, type, target);
    });
  }
}
