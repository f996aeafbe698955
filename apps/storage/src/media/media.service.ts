import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import type { RpcInput, RpcOutput, STORAGE_RPC } from '@tidings/common/rpc/calls';
import { LogState } from '../log/log-state';
import { Progress } from '../log/progress';
import { MediaRepository } from './media.repository';

type Rpc = typeof STORAGE_RPC;

/** How long a reader's question waits for its barrier, in milliseconds. */
const BARRIER_WITHIN_MS = 2_000;

/** How uploads are kept. */
export class MediaSettings {
  constructor(
    /** How long an upload waits for a message that shows it, in seconds. */
    readonly keepSeconds: number,
  ) {}
}

/** Answers questions about uploads. Outsiders learn as much as of an unknown id. */
@Injectable()
export class MediaService {
  constructor(
    private readonly media: MediaRepository,
    private readonly progress: Progress,
    private readonly log: LogState,
    private readonly settings: MediaSettings,
  ) {}

  async create(input: RpcInput<Rpc, 'media.create'>): Promise<RpcOutput<Rpc, 'media.create'>> {
    await this.media.create(input, this.settings.keepSeconds);
    return {};
  }

  /** Throws `media_not_found`; `unavailable` when the barrier was not reached, so nobody can tell. */
  async get(input: RpcInput<Rpc, 'media.get'>): Promise<RpcOutput<Rpc, 'media.get'>> {
    const { userId, mediaId, barrier } = input;
    const found = await this.media.readable(userId, mediaId);
    if (found) return found;
    const conversationId = barrier && (await this.media.conversationOf(userId, mediaId));
    if (!barrier || !conversationId) throw new TidingsError('media_not_found');
    const reached = await this.reached(conversationId, barrier);
    const later = await this.media.readable(userId, mediaId);
    if (later) return later;
    throw new TidingsError(reached ? 'media_not_found' : 'unavailable');
  }

  /** Throws `media_not_found`. */
  async use(input: RpcInput<Rpc, 'media.use'>): Promise<RpcOutput<Rpc, 'media.use'>> {
    const facts = await this.media.use(input, this.settings.keepSeconds);
    if (!facts) throw new TidingsError('media_not_found');
    return facts;
  }

  private async reached(conversationId: string, barrier: (string | null)[]): Promise<boolean> {
    const partition = this.log.partitionOf(conversationId);
    const next = barrier[partition];
    if (next == null) return false;
    return this.progress.wait([{ partition, next: BigInt(next) }], BARRIER_WITHIN_MS);
  }
}
