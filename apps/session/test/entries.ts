import type { ConversationChange } from '@tidings/protocol/content';
import type { ChangeEntry, ConversationEntry, MessageEntry } from '../src/domain/entry';

/** Position of offset 0 in these samples. */
export const BASE = 1_000n;

/** A UUID that ends in this number. */
export function uuid(n: number): string {
  return `01890a5d-ac96-774b-bcce-${String(n).padStart(12, '0')}`;
}

/** A message at an offset; what is not given follows from the offset. */
export function messageAt(
  offset: number,
  given: {
    talk?: string;
    id?: number;
    sender?: number;
    device?: number;
    text?: string;
    atMs?: number;
  } = {},
): MessageEntry {
  const { talk = 'c', id = offset, sender = 1, device = 1, text = 'hi', atMs = offset } = given;
  return {
    kind: 'message',
    offset: BigInt(offset),
    position: BASE + BigInt(offset),
    recordedAtMs: atMs,
    event: {
      conversationId: talk,
      messageId: uuid(id),
      senderId: uuid(sender),
      deviceId: uuid(device),
      content: { kind: 'text', text },
      contentHash: `hash-of-${text}`,
      sentAt: '2026-01-02T03:04:05.678Z',
    },
  };
}

/** A creation, or the change given, of a conversation at an offset. */
export function changeAt(
  offset: number,
  given: {
    talk?: string;
    users: number[];
    version?: number;
    kind?: 'direct' | 'group';
    change?: ConversationChange;
  },
): ConversationEntry {
  const { talk = 'c', users, version = 1, kind = 'direct' } = given;
  const members = users.map(uuid);
  return {
    kind: 'conversation',
    offset: BigInt(offset),
    position: BASE + BigInt(offset),
    recordedAtMs: offset,
    event: {
      conversationId: talk,
      messageId: uuid(offset),
      senderId: uuid(users[0] ?? 0),
      sentAt: '2026-01-02T03:04:05.678Z',
      version,
      kind,
      members,
      change: given.change ?? { kind: 'created', conversationKind: kind, userIds: members },
    },
  };
}

/** An edit of the message at another offset, or (with `text` null) its deletion. */
export function editAt(
  offset: number,
  of: number,
  given: { talk?: string; change?: number; user?: number; text?: string | null } = {},
): ChangeEntry {
  const { talk = 'c', change = offset, user = 1, text = 'better' } = given;
  return {
    kind: 'change',
    offset: BigInt(offset),
    position: BASE + BigInt(offset),
    recordedAtMs: offset,
    event: {
      conversationId: talk,
      changeId: uuid(change),
      userId: uuid(user),
      deviceId: uuid(user),
      changeHash: `hash-of-${text}`,
      messageId: uuid(of),
      position: String(BASE + BigInt(of)),
      senderId: uuid(1),
      content: text === null ? { kind: 'deleted' } : { kind: 'text', text },
      sentAt: '2026-01-02T03:04:05.678Z',
    },
  };
}
