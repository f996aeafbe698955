import type { ConversationRouting } from '@tidings/common/rpc/calls';
import { LIMITS } from '@tidings/protocol/limits';
import type { TypingChanged } from '@tidings/common/log-events/events';
import type { TypingPushFrame } from '@tidings/protocol/typing';
import type { Letter } from './fan-out';

/**
 * Who is told that a user writes: the other present members, of conversations of up to
 * `LIMITS.membersInline`. Null for nobody: the user is no member (any more), or one of the two of a
 * direct conversation blocks the other.
 */
export function typingLetter(
  { conversationId, userId, active }: TypingChanged,
  { members, blocked, kind }: ConversationRouting,
): Letter | null {
  if (kind === 'everyone' || (blocked?.length ?? 0) > 0) return null;
  const present = members.filter((m) => m.until === null).map((m) => m.userId);
  if (present.length > LIMITS.membersInline || !present.includes(userId)) return null;
  const userIds = present.filter((member) => member !== userId);
  if (userIds.length === 0) return null;
  const frame: TypingPushFrame = { type: 'typing', conversationId, userId, active };
  return { frame: JSON.stringify(frame), userIds, exceptDevice: null };
}
