import type { StorageClient } from '../service-clients';

/** Whose presence somebody may see, as storage says it; nothing is remembered. */
export class PresenceSight {
  constructor(private readonly storage: Pick<StorageClient, 'call'>) {}

  /**
   * Those of `userIds` (at most 500) whose presence the viewer may see. Throws `unavailable` while
   * storage is away: then nothing may be shown.
   */
  async visible(viewerId: string, userIds: readonly string[]): Promise<ReadonlySet<string>> {
    const input = { viewerId, userIds: [...userIds] };
    const { items } = await this.storage.call('presence.visible', input);
    return new Set(items);
  }
}
