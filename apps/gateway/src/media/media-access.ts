import { TidingsError } from '@tidings/protocol/errors';
import { isSentContent, type Content, type SentContent } from '@tidings/protocol/content';
import type { ReadableMedia } from '@tidings/common/rpc/calls';
import type { StorageClient } from '../service-clients';
import type { ReadBarrier } from '../sync/read-barrier';

const TIMEOUT_MS = 2_000;
/** Storage waits up to 2 s for the barrier; the rest is for the answer and its way. */
const WAITING_MS = 4_000;

/** What is asked of a message: whose it is, where it goes, what it shows. */
interface Showing {
  conversationId: string;
  senderId: string;
  content: Content | SentContent;
}

/** Asks storage who may read which upload, and what a message may show. */
export class MediaAccess {
  constructor(
    private readonly storage: Pick<StorageClient, 'call'>,
    private readonly barrier: Pick<ReadBarrier, 'take'>,
  ) {}

  /**
   * An upload that the user may read now. A push can be faster than storage: before it says no, it
   * has applied all that was in the log. Throws `media_not_found`, `unavailable`.
   */
  async find(userId: string, mediaId: string): Promise<ReadableMedia> {
    const question = { userId, mediaId };
    try {
      return await this.storage.call('media.get', question, { timeoutMs: TIMEOUT_MS });
    } catch (error) {
      if (!(error instanceof TidingsError) || error.code !== 'media_not_found') throw error;
    }
    const barrier = await this.barrier.take();
    if (barrier === null) throw new TidingsError('unavailable');
    const options = { timeoutMs: WAITING_MS };
    return this.storage.call('media.get', { ...question, barrier }, options);
  }

  /**
   * Adds to a message what its record needs: what it shows must be the sender's own upload for this
   * conversation. Throws `media_not_found`, `unavailable`.
   */
  async complete<M extends Showing>(message: M): Promise<M & { content: SentContent }> {
    const { content } = message;
    const facts = isSentContent(content) ? content : await this.filled(message, content);
    return { ...message, content: facts };
  }

  private async filled(message: Showing, content: Content): Promise<SentContent> {
    if (content.kind === 'text' || content.kind === 'custom') return content;
    const { conversationId, senderId: userId } = message;
    const { kind, mediaId } = content;
    const question = { userId, conversationId, mediaId, kind };
    const facts = await this.storage.call('media.use', question, { timeoutMs: TIMEOUT_MS });
    const { type, size, width = 0, height = 0 } = facts;
    if (content.kind === 'file') return { ...content, type, size };
    return { ...content, type, size, width, height };
  }
}
