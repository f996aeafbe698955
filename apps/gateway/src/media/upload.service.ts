import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { TidingsError } from '@tidings/protocol/errors';
import { CONVERSATION_HEADER, type MediaAnswer } from '@tidings/protocol/http';
import { conversationId } from '@tidings/protocol/ids';
import type { MediaFacts } from '@tidings/common/rpc/calls';
import { LIMITS } from '@tidings/protocol/limits';
import { clientNetwork } from '@tidings/common/runtime/client-network';
import { originalKey, thumbnailKey, type MediaDriver } from '@tidings/common/media/media-driver';
import { declaredType, SNIFF_BYTES, sniffImage, UNKNOWN_TYPE, type ImageType } from './media-type';
import type { SharedAddresses } from '../rates/shared-addresses';
import type { Doer } from '../rates/user-rates';
import type { Membership } from '../members/membership';
import type { StorageClient } from '../service-clients';
import type { Holder, Slot, Slots } from './slots';
import type { ImageWorks } from './image-works';
import { receiveBody, type Received } from './receive-body';

export interface UploadParts {
  driver: MediaDriver;
  images: Pick<ImageWorks, 'clean'>;
  slots: Slots;
  /** Addresses that many clients share: they have no number of their own. */
  shared: Pick<SharedAddresses, 'has'>;
  membership: Pick<Membership, 'maySend' | 'requireSender'>;
  storage: Pick<StorageClient, 'call'>;
  /** Takes the error code of each refused upload, or `ok`. */
  count: (outcome: string) => void;
}

/** Files of one upload in the making. */
interface Scratch {
  received: string;
  original: string;
  thumbnail: string;
}

/** Takes uploads: streamed to the disk, judged, cleaned, noted in storage, then kept. */
export class UploadService {
  constructor(private readonly parts: UploadParts) {}

  /**
   * One upload. Throws `invalid_request`, `no_such_conversation`, `blocked`, `payload_too_large`,
   * `unsupported_media` (415; 422 when it cannot be decoded), `busy`, `rate_limited`, `unavailable`;
   * then nothing of it is left.
   */
  async take(request: IncomingMessage & { ip?: string }, doer: Doer): Promise<MediaAnswer> {
    try {
      const { ip } = request;
      const network = this.parts.shared.has(ip) ? undefined : clientNetwork(ip);
      const answer = await this.admit(request, doer, { userId: doer.userId, network });
      this.parts.count('ok');
      return answer;
    } catch (error) {
      this.parts.count(error instanceof TidingsError ? error.code : 'internal');
      throw error;
    }
  }

  private async admit(request: IncomingMessage, doer: Doer, holder: Holder): Promise<MediaAnswer> {
    const place = conversationId.safeParse(request.headers[CONVERSATION_HEADER]);
    if (!place.success) {
      const detail = 'X-Conversation-Id: a conversation id is expected';
      throw new TidingsError('invalid_request', { detail });
    }
    checkHeaders(request);
    const { membership, slots } = this.parts;
    const { userId } = doer;
    const slot = slots.take(holder);
    try {
      if (!membership.maySend(place.data, userId)) {
        await membership.requireSender(place.data, userId);
      }
      return await this.scratched((files) =>
        this.process(request, { files, slot }, doer, place.data),
      );
    } finally {
      slot.free();
    }
  }

  /** Runs `work` with names for files that are gone afterwards, whatever happens. */
  private async scratched<T>(work: (files: Scratch) => Promise<T>): Promise<T> {
    const { scratchDir } = this.parts.driver;
    await mkdir(scratchDir, { recursive: true, mode: 0o750 });
    const path = join(scratchDir, randomUUID());
    const files = { received: path, original: `${path}.original`, thumbnail: `${path}.thumb` };
    try {
      return await work(files);
    } finally {
      await Promise.all(Object.values(files).map((file) => rm(file, { force: true })));
    }
  }

  private async process(
    request: IncomingMessage,
    { files, slot }: { files: Scratch; slot: Slot },
    doer: Doer,
    conversation: string,
  ): Promise<MediaAnswer> {
    const declared = declaredType(request.headers['content-type']);
    let image: ImageType | null = null;
    const received = await receiveBody(request, {
      path: files.received,
      slot,
      headBytes: SNIFF_BYTES,
      limit: (head) => {
        image = sniffImage(head);
        if (image) return LIMITS.imageBytes;
        if (declared.startsWith('image/')) throw new TidingsError('unsupported_media');
        return LIMITS.fileBytes;
      },
    });
    if (received.size === 0) {
      throw new TidingsError('invalid_request', { detail: 'The body is empty' });
    }
    // What waits for its turn has a queue of its own: the place is for those who send.
    slot.free();
    const { facts, etag } = await this.judged(image, declared, received, { files, doer });
    const mediaId = randomUUID();
    const note = { mediaId, etag, conversationId: conversation, ownerId: doer.userId, ...facts };
    await this.parts.storage.call('media.create', note);
    await this.keep(mediaId, facts, files);
    const { width, height, size, type } = facts;
    return { mediaId, width, height, size, type };
  }

  /** Cleans an image; a file stays as it came. */
  private async judged(
    image: ImageType | null,
    declared: string,
    received: Received,
    { files, doer }: { files: Scratch; doer: Doer },
  ): Promise<{ facts: MediaFacts; etag: string }> {
    if (!image) {
      const type = declared.startsWith('image/') ? UNKNOWN_TYPE : declared;
      return { facts: { kind: 'file', type, size: received.size }, etag: received.hash };
    }
    const pixels = await this.parts.images.clean(doer, files.received, image, files);
    const { size } = await stat(files.original);
    const etag = await hashOf(files.original);
    return { facts: { kind: 'image', type: image, size, ...pixels }, etag };
  }

  /** Thumbnail first: who can read the original can read both. */
  private async keep(mediaId: string, facts: MediaFacts, files: Scratch): Promise<void> {
    const { driver } = this.parts;
    const path = facts.kind === 'image' ? files.original : files.received;
    try {
      if (facts.kind === 'image') {
        await driver.put(thumbnailKey(mediaId), files.thumbnail, 'image/webp');
      }
      await driver.put(originalKey(mediaId), path, facts.type);
    } catch (error) {
      const keys = [originalKey(mediaId), thumbnailKey(mediaId)];
      await Promise.allSettled(keys.map((key) => driver.remove(key)));
      throw new TidingsError('unavailable', { cause: error });
    }
  }
}

/** What can be told before a byte is read. */
function checkHeaders({ headers }: IncomingMessage): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    const detail = 'Content-Encoding: send the bytes as they are';
    throw new TidingsError('unsupported_media', { detail });
  }
  if (Number(headers['content-length'] ?? 0) > LIMITS.fileBytes) {
    throw new TidingsError('payload_too_large');
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('base64url');
}
