import { Draft } from '../src/domain/draft';
import type { LogEntry } from '../src/domain/entry';
import { emptyState, type PartitionState } from '../src/domain/partition-state';
import { BASE, editAt, messageAt } from './entries';

/** A log with messages of two conversations and a deletion. */
export const deletionEntries: LogEntry[] = [
  messageAt(0),
  messageAt(1),
  messageAt(2, { talk: 'd' }),
  editAt(3, 0, { text: null }),
  messageAt(4),
  messageAt(5, { talk: 'd' }),
  messageAt(6),
];

/** A state that has read these entries, one batch after the other. */
export function stateOf(
  entries: readonly LogEntry[],
  { start, liveFrom } = { start: 0n, liveFrom: 0n },
): PartitionState {
  const state = emptyState({ partition: 0, base: BASE, start, liveFrom });
  takeIn(state, entries);
  return state;
}

/** Lets a state read entries from its next one on; returns those that it would push. */
export function takeIn(state: PartitionState, entries: readonly LogEntry[]): bigint[] {
  const pushed: bigint[] = [];
  for (const entry of entries) {
    if (entry.offset < state.next) continue;
    const draft = new Draft(state);
    draft.admit(entry);
    if (draft.counts.live > 0) pushed.push(entry.position);
    draft.commit(entry.offset + 1n);
  }
  return pushed;
}
