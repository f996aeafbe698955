import type { MemberStore } from './member-store';

/** How often the living member's id is written again, well below its time to live, in ms. */
const REFRESH_MS = 60_000;

/**
 * The member id of this node's one consumer in a group, kept alive in Redis: a log consumer's
 * `memberStore`.
 */
export class MemberIds {
  private memberId: string | null = null;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly store: MemberStore,
    private readonly groupId: string,
    private readonly onError: (error: unknown) => void,
  ) {}

  async load(): Promise<{ groupId: string; memberId: string } | null> {
    const ids = await this.store.load(this.groupId);
    const memberId = ids.at(-1);
    return memberId === undefined ? null : { groupId: this.groupId, memberId };
  }

  /** Replaces what was there: only the newest member of this node can still be in the group. */
  async save(memberId: string): Promise<void> {
    if (memberId !== this.memberId) await this.store.clear(this.groupId);
    this.memberId = memberId;
    this.timer ??= setInterval(() => this.refresh(), REFRESH_MS).unref();
    await this.store.save(this.groupId, memberId);
  }

  /** Ends the refreshing; an orderly stop has left the group, so there is nobody to let go. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.store.clear(this.groupId);
  }

  private refresh(): void {
    if (this.memberId === null) return;
    this.store.save(this.groupId, this.memberId).catch(this.onError);
  }
}
