import { Chains } from './chains';
import { Members } from './members';
import { RecentIds } from './recent-ids';

/** What routing remembers of one partition. It belongs to one assignment and starts empty with it. */
export interface PartitionState {
  readonly partition: number;
  /** Position of offset 0 of this partition. */
  readonly base: bigint;
  /** Records below this offset only refill the state: they were pushed before. */
  readonly liveFrom: bigint;
  /** Offset after the last record that the state has taken in. */
  next: bigint;
  /** Offset below which Redis has copies of the window's entries. */
  copied: bigint;
  readonly recentIds: RecentIds;
  readonly chains: Chains;
  readonly members: Members;
  /**
   * Versions of conversations whose change a step threw over: what storage or a copy says of their
   * members counts from this version on.
   */
  readonly leastVersions: Map<string, number>;
}

/** An empty state that starts reading at `start` (offsets). */
export function emptyState(at: {
  partition: number;
  base: bigint;
  start: bigint;
  liveFrom: bigint;
}): PartitionState {
  return {
    partition: at.partition,
    base: at.base,
    liveFrom: at.liveFrom,
    next: at.start,
    copied: at.start,
    recentIds: new RecentIds(),
    chains: new Chains(at.base + at.start),
    members: new Members(),
    leastVersions: new Map(),
  };
}
