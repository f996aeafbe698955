import type { ConversationRouting } from '@tidings/common/rpc/calls';
import { LIMITS } from '@tidings/protocol/limits';
import type { ServerFrame } from '@tidings/protocol/frames';
import { EVENT_TYPES } from '@tidings/common/log-events/events';
import type { ReadEvent } from '@tidings/common/log-events/read-log-event';
import type { TOPICS } from '@tidings/common/log-events/topics';
import type { Notice } from './fan-out';

/** An event of the lossy lane, by its type. */
export type Signal = Extract<ReadEvent<typeof TOPICS.signals>, { kind: 'event' }>;

/**
 * Who is told of a signal, that a user writes for example: the other present members, of conversations of
 * up to `LIMITS.membersInline`. Null for nobody: the user is no member (any more), or one of the two of a
 * direct conversation blocks the other.
 */
export function signalNotice(
  signal: Signal,
  { members, blocked, kind }: ConversationRouting,
): Notice | null {
  if (kind === 'everyone' || (blocked?.length ?? 0) > 0) return null;
  const { userId } = signal.event;
  const present = members.filter((m) => m.until === null).map((m) => m.userId);
  if (present.length > LIMITS.membersInline || !present.includes(userId)) return null;
  const userIds = present.filter((member) => member !== userId);
  if (userIds.length === 0) return null;
  return { frame: JSON.stringify(frameOf(signal)), userIds, exceptDevice: null };
}

/** What the others' clients get. */
function frameOf({ type, event }: Signal): ServerFrame {
  switch (type) {
    case EVENT_TYPES.typing: {
      const { conversationId, userId, active } = event;
      return { type: 'typing', conversationId, userId, active };
    }
  }
}
