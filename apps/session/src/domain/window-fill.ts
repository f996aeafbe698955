import type { PartitionState } from './partition-state';
import { conversationOf } from './recent-ids';
import { cutRun, scopeAt, type WindowSegment } from './window-segment';

/**
 * Fills a new state with segments, as far as they follow each other from where it begins: never past
 * `liveFrom`, because what comes from there on is pushed and has to be read. Segments may overlap and come
 * from several processes, since each says what the log has and nothing else. Returns how many entries
 * were taken.
 */
export function fillFrom(state: PartitionState, segments: readonly WindowSegment[]): number {
  const { base, liveFrom } = state;
  const rising = [...segments].sort((a, b) => (a.from < b.from ? -1 : Number(a.from > b.from)));
  let taken = 0;
  for (const { from, next, run } of rising) {
    if (from > state.next) break;
    const end = next < liveFrom ? next : liveFrom;
    if (end <= state.next) continue;
    const entries = cutRun(run, base + state.next, base + end);
    state.recentIds.addRun(entries);
    for (let i = 0; i < entries.positions.length; i++) {
      state.chains.set(conversationOf(scopeAt(entries, i)), entries.positions[i]!);
    }
    taken += entries.positions.length;
    state.next = end;
  }
  state.copied = state.next;
  return taken;
}
