import { createMediaDriver } from '@tidings/common/media/media-env';
import type { MediaDriver } from '@tidings/common/media/media-driver';
import type { Logger } from '@tidings/common/runtime/logger';
import type { GatewayEnv } from '../gateway.env';
import type { SharedAddresses } from '../rates/shared-addresses';
import type { UserRates } from '../rates/user-rates';
import type { Membership } from '../members/membership';
import type { StorageClient } from '../service-clients';
import type { ReadBarrier } from '../sync/read-barrier';
import { Slots } from './slots';
import { ImageProcess } from './image-process';
import { ImageWorks } from './image-works';
import { MediaAccess } from './media-access';
import { MediaResponder } from './media-response';
import { MediaUrls } from './media-urls';
import { clearScratch } from './scratch';
import { UploadService } from './upload.service';

/** Uploads that are being received at a time; each holds up to one file on the disk. */
export const UPLOADS = { all: 32, perUser: 4, perAddress: 16 };
/** Readers of uploads at a time; each holds an open file. */
export const READERS = { all: 512, perUser: 32 };

export interface MediaOptions {
  env: GatewayEnv;
  shared: SharedAddresses;
  rates: UserRates;
  membership: Membership;
  storage: StorageClient;
  barrier: ReadBarrier;
  logger: Logger;
  /** Unix milliseconds. */
  wallClock: () => number;
  /** Takes the outcome of each upload: `ok` or an error code. */
  count: (outcome: string) => void;
}

/** Everything about uploads that the HTTP side and the send path use. */
export class MediaParts {
  readonly driver: MediaDriver;
  readonly access: MediaAccess;
  readonly uploads: UploadService;
  readonly urls: MediaUrls;
  readonly responder: MediaResponder;
  readonly wallClock: () => number;
  /** Work on images. */
  readonly images: ImageWorks;
  /** Uploads and downloads that run. */
  readonly slots = {
    uploads: new Slots('uploads', UPLOADS),
    downloads: new Slots('downloads', READERS),
  };
  private readonly imageProcess: ImageProcess;

  constructor(private readonly options: MediaOptions) {
    const { env, membership, storage, barrier, wallClock, count } = options;
    this.driver = createMediaDriver(env);
    this.wallClock = wallClock;
    this.access = new MediaAccess(storage, barrier);
    this.responder = new MediaResponder(this.driver, this.slots.downloads);
    this.urls = new MediaUrls({
      secret: env.CLUSTER_SECRET,
      base: env.MEDIA_PUBLIC_URL ?? httpBase(env.PUBLIC_URL),
      lifeSeconds: env.MEDIA_URL_SECONDS,
    });
    const { driver } = this;
    this.imageProcess = new ImageProcess(process.argv[1]!);
    this.images = new ImageWorks(this.imageProcess, options.rates);
    const { images } = this;
    const slots = this.slots.uploads;
    const { shared } = options;
    const parts = { driver, images, slots, shared, membership, storage, count };
    this.uploads = new UploadService(parts);
  }

  /** Removes what a crash left of uploads in the making. Without a place for them chat goes on. */
  async start(): Promise<void> {
    await this.driver.check().catch((error: unknown) => {
      this.options.logger.error({ err: error }, 'images and files cannot be kept at the moment');
    });
    await clearScratch(this.driver.scratchDir);
  }

  stop(): void {
    this.imageProcess.stop();
    this.driver.close();
  }
}

/** The HTTP side of a gateway's WebSocket address. */
function httpBase(publicUrl: string | undefined): string {
  return publicUrl === undefined ? '' : new URL(publicUrl.replace(/^ws/, 'http')).origin;
}
