import { basename, join } from 'node:path';
import type { Client } from 'pg';
import { uuidv7 } from 'uuidv7';
import type { Conversation } from '@tidings/protocol/http';
import type { Stack } from '../../../tools/stack/stack';
import type { ChatUser } from '../../support/chat-user';
import { sendAndWait } from '../../support/talk';
import type { Frame } from '../../support/test-socket';
import { filesBelow } from '../../support/uploads';

/** For how long signed URLs work. */
export const URL_SECONDS = 4;

/** What the tests of media share: a stack, users (bob asks gateway-2 first), a chat of ann and bob. */
export interface Given {
  stack: Stack;
  sql: Client;
  ann: ChatUser;
  bob: ChatUser;
  eve: ChatUser;
  chat: Conversation;
}

/** Gets a path as a user, or a whole URL as nobody. */
export async function get(
  user: ChatUser | null,
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; headers: Headers; bytes: Buffer }> {
  const base = user?.bases[0] ?? '';
  const response = await fetch(base + path, {
    ...init,
    headers: { ...(user && { authorization: `Bearer ${user.accessToken}` }), ...init.headers },
    signal: AbortSignal.timeout(45_000),
  });
  const { status, headers } = response;
  return { status, headers, bytes: Buffer.from(await response.arrayBuffer()) };
}

export async function statusOf(user: ChatUser | null, path: string): Promise<number> {
  return (await get(user, path)).status;
}

/** Sends a content over a fresh socket; gives the answer frame. */
export async function send(
  user: ChatUser,
  conversationId: string,
  content: unknown,
): Promise<Frame> {
  const socket = await user.connect();
  const answer = await sendAndWait(socket, {
    type: 'send',
    messageId: uuidv7(),
    conversationId,
    content,
  });
  await socket.end();
  return answer;
}

/** Names of all files below the stack's media folder. */
export function keptFiles(stack: Stack): string[] {
  return filesBelow(join(stack.dir, 'media'))
    .map((path) => basename(path))
    .sort();
}
