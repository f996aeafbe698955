import type { Outgoing, TidingsClient, User } from '@tidings/sdk';
import type { Files } from './files';
import type { People } from './people';
import type { Rooms } from './rooms';
import type { Screen } from './screen';

/** The chat on the screen. */
export interface OpenRoom {
  /** Undefined: the direct conversation is not known yet. */
  conversationId?: string;
  /** Whom a direct chat is with; undefined: a group. */
  user?: User;
  /** The others of a small group. */
  memberIds?: readonly string[];
  /** Position of the oldest message on the screen. */
  shownFrom?: string;
  /** It was opened without the server: what it shows may be less than there is. */
  partial?: boolean;
}

/** Whether both are the same chat, perhaps opened twice. */
export function isSameRoom(one: OpenRoom | null, other: OpenRoom | null): boolean {
  if (!one || !other) return one === other;
  if (one.conversationId !== undefined && one.conversationId === other.conversationId) return true;
  return one.user !== undefined && one.user.id === other.user?.id;
}

/** Whether an own message goes to this chat. */
export function isFor(room: OpenRoom, { to, conversationId }: Outgoing['record']): boolean {
  if (conversationId !== undefined) return conversationId === room.conversationId;
  return to === room.user?.id;
}

/** What the parts of the chat program share. */
export interface ChatParts {
  client: TidingsClient;
  screen: Screen;
  people: People;
  rooms: Rooms;
  files: Files;
}
