import type { GroupLag } from '../redis/directory';

const LOOK_MS = 1_000;
const WITHIN_MS = 800;

/** What is needed of a consumer. */
interface Follower {
  lag(timeoutMs: number): Promise<GroupLag>;
}

/** The lag of this node's consumers, measured every second. */
export class NodeLag {
  private readonly followers = new Map<string, Follower>();
  private readonly lags = new Map<string, GroupLag>();
  private timer: NodeJS.Timeout | null = null;
  private looking = false;

  add(groupId: string, follower: Follower): void {
    this.followers.set(groupId, follower);
  }

  start(): void {
    this.timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
  }

  /** By consumer group. Groups whose log did not answer are left out. */
  get current(): Record<string, GroupLag> {
    return Object.fromEntries(this.lags);
  }

  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    await Promise.all([...this.followers].map((one) => this.lookAt(...one)));
    this.looking = false;
  }

  private async lookAt(groupId: string, follower: Follower): Promise<void> {
    try {
      this.lags.set(groupId, await follower.lag(WITHIN_MS));
    } catch {
      this.lags.delete(groupId);
    }
  }
}
