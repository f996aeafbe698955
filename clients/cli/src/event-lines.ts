import type { ConversationChange } from '@tidings/sdk';
import { lifetimeText } from './lifetime-text';
import { safeLine } from './safe-text';

const ROLES = { owner: 'the owner', admin: 'an admin', member: 'a member' } as const;

/** Users that an event names. */
export function eventUsers(event: ConversationChange): string[] {
  if (event.kind === 'role') return [event.userId];
  if (event.kind === 'removed') return [...event.userIds, ...(event.owner ? [event.owner] : [])];
  return event.kind === 'added' ? event.userIds : [];
}

/**
 * What happened to a conversation, as a sentence; null: nothing to tell. `name` gives a user's, `you`
 * for oneself.
 */
export function eventLine(
  event: ConversationChange,
  senderId: string,
  name: (userId: string) => string,
): string | null {
  const author = name(senderId);
  const names = (ids: readonly string[]): string => ids.map(name).join(', ');
  switch (event.kind) {
    case 'created':
      if (event.conversationKind !== 'group') return null;
      return `${author} made this group${event.title === undefined ? '' : `: ${safeLine(event.title)}`}`;
    case 'title':
      return `${author} named the group ${safeLine(event.title)}`;
    case 'ttl':
      return event.messageTtlSeconds === null
        ? `${author} set messages to stay from now on`
        : `${author} set messages to disappear after ${lifetimeText(event.messageTtlSeconds)}`;
    case 'added':
      return `${author} added ${names(event.userIds)}`;
    case 'removed':
      return removedLine(event, senderId, names);
    case 'role': {
      const { userId, role } = event;
      return `${author} made ${names([userId])} ${ROLES[role]}`;
    }
    default:
      // A kind of a later version.
      return `(${safeLine((event as { kind: string }).kind)})`;
  }
}

function removedLine(
  { userIds, owner }: Extract<ConversationChange, { kind: 'removed' }>,
  senderId: string,
  names: (ids: readonly string[]) => string,
): string {
  const left = userIds.length === 1 && userIds[0] === senderId;
  const line = left
    ? `${names([senderId])} left`
    : `${names([senderId])} removed ${names(userIds)}`;
  return owner === undefined ? line : `${line}; the owner now: ${names([owner])}`;
}
