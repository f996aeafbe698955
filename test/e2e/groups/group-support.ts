import type { Message } from '@tidings/protocol/content';
import type { ChangedConversation, Member, Page } from '@tidings/protocol/http';
import type { Stack } from '../../../tools/stack/stack';
import type { Answer, ChatUser } from '../../support/chat-user';
import type { Frame, TestSocket } from '../../support/test-socket';

/** What the tests of groups share: a stack and users; bob and dave ask gateway-2 first. */
export interface Given {
  stack: Stack;
  ann: ChatUser;
  bob: ChatUser;
  carol: ChatUser;
  dave: ChatUser;
  eve: ChatUser;
}

type Role = 'owner' | 'admin' | 'member';

export function setRole(
  user: ChatUser,
  conversationId: string,
  member: ChatUser,
  role: Role,
): Promise<Answer<ChangedConversation>> {
  return user.http('PATCH', `/v1/conversations/${conversationId}/members/${member.id}`, { role });
}

/** The roles of all members, by user. */
export async function rolesOf(
  user: ChatUser,
  conversationId: string,
): Promise<Record<string, Role>> {
  const { body } = await user.http<Page<Member>>(
    'GET',
    `/v1/conversations/${conversationId}/members`,
  );
  return Object.fromEntries(body.items.map((m) => [m.userId, m.role]));
}

/** Messages in short: their texts, or the kinds of their events and contents. */
export function shown(messages: readonly Message[]): string[] {
  return messages.map(({ content }) => {
    if (content.kind === 'text') return content.text;
    return content.kind === 'event' ? content.event.kind : content.kind;
  });
}

/** The entries of a conversation that came over a socket. */
export function framesOf(socket: TestSocket, conversationId: string): Frame[] {
  return socket.frames.filter(
    (f) =>
      f['conversationId'] === conversationId && (f.type === 'message' || f.type === 'conversation'),
  );
}

/** The frame that tells of a change of a conversation. */
export function told(socket: TestSocket, conversationId: string, kind: string): Promise<Frame> {
  return socket.find(
    (f) =>
      f.type === 'conversation' &&
      f['conversationId'] === conversationId &&
      (f['change'] as { kind: string }).kind === kind,
  );
}
