import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { uuidv7 } from 'uuidv7';

/** Ids that a call or a frame can name. */
export interface NamedIds extends Record<string, string> {
  conversationId: string;
  messageId: string;
  changeId: string;
  mediaId: string;
  /** A member of the conversation, and one of his devices. */
  userId: string;
  deviceId: string;
  /** A position of the conversation. */
  position: string;
}

/** Ids in their right form that nothing has; `like`: a position of so many digits. */
export function unknownIds(like = '1'): NamedIds {
  return {
    conversationId: createHash('sha256').update(randomBytes(16)).digest('base64url'),
    messageId: uuidv7(),
    changeId: uuidv7(),
    mediaId: randomUUID(),
    userId: randomUUID(),
    deviceId: randomUUID(),
    position: '9'.repeat(like.length),
  };
}

/** Ways to name foreign ids: all of them, the conversation alone, all but the conversation. */
export function mixtures(real: NamedIds): [how: string, ids: NamedIds][] {
  const { conversationId, position } = real;
  return [
    ['every id', real],
    ['the conversation', { ...unknownIds(position), conversationId }],
    ['all but the conversation', { ...real, conversationId: unknownIds().conversationId }],
  ];
}
