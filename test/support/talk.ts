import { uuidv7 } from 'uuidv7';
import type { ChangedConversation, Conversation } from '@tidings/protocol/http';
import { textSend, type Answer, type ChatUser } from './chat-user';
import type { Frame, TestSocket } from './test-socket';

/** Sends a frame with a `messageId` and gives what answers it: `sent` or `error`. */
export async function sendAndWait(
  socket: TestSocket,
  frame: { type: string; messageId: string } & Record<string, unknown>,
): Promise<Frame> {
  const from = socket.frames.length;
  socket.send(frame);
  return socket.find(
    (f) =>
      (f.type === 'sent' || f.type === 'error') &&
      f['messageId'] === frame.messageId &&
      socket.frames.indexOf(f) >= from,
  );
}

/** Says a text. */
export function say(socket: TestSocket, conversationId: string, text: string): Promise<Frame> {
  return sendAndWait(socket, textSend({ conversationId }, text));
}

/** Edits (or, without content, deletes) a message; gives `changed` or `error`. */
export async function change(
  socket: TestSocket,
  message: { conversationId: string; messageId: string },
  content: object | null,
  changeId = uuidv7(),
): Promise<Frame> {
  const { conversationId, messageId } = message;
  const from = socket.frames.length;
  const ids = { changeId, messageId, conversationId };
  socket.send(content ? { type: 'edit', ...ids, content } : { type: 'delete', ...ids });
  return socket.find(
    (f) =>
      socket.frames.indexOf(f) >= from &&
      ((f.type === 'changed' && f['changeId'] === changeId) ||
        (f.type === 'error' && f['ref'] === changeId)),
  );
}

/** Asks for a new group. */
export function postGroup(
  owner: ChatUser,
  userIds: readonly string[],
  extra: object = {},
): Promise<Answer<Conversation & { code?: string }>> {
  const group = { kind: 'group', requestId: uuidv7(), title: 'Friends', userIds, ...extra };
  return owner.patiently('POST', '/v1/conversations', group);
}

/** Makes a group; its id. */
export async function makeGroup(
  owner: ChatUser,
  members: readonly ChatUser[],
  extra: object = {},
): Promise<string> {
  const { status, body } = await postGroup(
    owner,
    members.map((m) => m.id),
    extra,
  );
  if (status !== 201) throw new Error(`no group: ${JSON.stringify(body)}`);
  return body.id;
}

/** Adds members to a group. */
export function addTo(
  user: ChatUser,
  conversationId: string,
  ...members: { id: string }[]
): Promise<Answer<ChangedConversation & { code?: string }>> {
  const userIds = members.map((m) => m.id);
  return user.http('POST', `/v1/conversations/${conversationId}/members`, { userIds });
}

/** Removes a member from a group. */
export function removeFrom(user: ChatUser, conversationId: string, member: { id: string }) {
  return user.http('DELETE', `/v1/conversations/${conversationId}/members/${member.id}`);
}

/**
 * Everything that members push to each other, told by its words: a text, an edit of an old message
 * of ann's, a title, a mark, typing, app data. The last is answered when it returns.
 */
export async function bustle(
  { ann, a, b }: { ann: ChatUser; a: TestSocket; b: TestSocket },
  old: Frame,
): Promise<void> {
  const place = old as unknown as { conversationId: string; messageId: string; position: string };
  const { conversationId, position } = place;
  await say(a, conversationId, 'after the removal');
  await change(a, place, { kind: 'text', text: 'edited after the removal' });
  await ann.http('PATCH', `/v1/conversations/${conversationId}`, { title: uuidv7() });
  b.send({ type: 'read', conversationId, position });
  b.send({ type: 'typing', conversationId, active: true });
  await sendAndWait(b, {
    type: 'send',
    messageId: uuidv7(),
    conversationId,
    content: { kind: 'custom', data: 'after the removal' },
  });
}
