import type { PartitionBounds } from './log-offsets';

/** Where a group goes on in a partition, when something is there that it has not read. */
interface Cursor {
  partition: number;
  /** Offset of the oldest record that the group still needs and that is still in the log. */
  offset: bigint;
}

/** How far a group is behind, by offsets alone. */
export interface Behind {
  records: number;
  /** Records that the retention took before the group had read them. */
  lost: number;
  /** One for each partition that is not read to its end. */
  cursors: Cursor[];
}

/**
 * What lies between a group's offsets and the log's ends. `committed`: the next offset of each partition,
 * null where the group has none: it would begin at the log's start.
 */
export function behind(
  bounds: readonly PartitionBounds[],
  committed: readonly (bigint | null)[],
): Behind {
  let records = 0n;
  let lost = 0n;
  const cursors: Cursor[] = [];
  for (const [partition, { low, high }] of bounds.entries()) {
    const next = committed[partition] ?? low;
    if (next < low) lost += low - next;
    const offset = next < low ? low : next;
    if (offset >= high) continue;
    records += high - offset;
    cursors.push({ partition, offset });
  }
  return { records: Number(records), lost: Number(lost), cursors };
}
