import { createHash } from 'node:crypto';
import type { Message, MessageContent } from '@tidings/common/contracts/content';
import type { Extras } from '@tidings/common/contracts/extras';
import type { Sha256 } from '@tidings/common/contracts/ids';

/** A row of `messages`, as the queries of this service select it ({@link messageColumns}). */
export interface MessageRow {
  conversation_id: string;
  message_id: string;
  position: string;
  version: string;
  sender_id: string;
  sent_at: Date;
  expires_at: Date | null;
  deleted: boolean;
  /** Null: deleted. */
  content: string | null;
  extras: string | null;
}

/** The columns of {@link MessageRow}, of the table or alias `t`. */
export function messageColumns(t: string): string {
  return [
    ...['conversation_id', 'message_id', 'position', 'version', 'sender_id', 'sent_at'],
    ...['expires_at', 'deleted', 'content', 'extras'],
  ]
    .map((column) => `${t}.${column}`)
    .join(', ');
}

const DELETED: MessageContent = { kind: 'deleted' };
const DELETED_TEXT = JSON.stringify(DELETED);

/** A row as an entry of a conversation's history. */
export function toMessage(row: MessageRow): Message {
  return {
    conversationId: row.conversation_id,
    position: row.position,
    messageId: row.message_id,
    senderId: row.sender_id,
    content: row.content === null ? DELETED : (JSON.parse(row.content) as MessageContent),
    sentAt: row.sent_at.toISOString(),
    version: row.version,
    ...(row.expires_at && { expiresAt: row.expires_at.toISOString() }),
    ...(row.deleted && { deleted: true }),
    ...(row.extras !== null && (JSON.parse(row.extras) as Extras)),
  };
}

/**
 * {@link toMessage} as JSON text, for answers with many: what is stored as JSON is not parsed, and
 * ids, positions and times need no escaping.
 */
export function messageText(row: MessageRow): string {
  const { conversation_id, position, message_id, sender_id, content, version, extras } = row;
  const expiry = row.expires_at ? `,"expiresAt":"${row.expires_at.toISOString()}"` : '';
  const deleted = row.deleted ? ',"deleted":true' : '';
  const more = extras === null || extras === '{}' ? '' : `,${extras.slice(1, -1)}`;
  return `{"conversationId":"${conversation_id}","position":"${position}","messageId":"${message_id}","senderId":"${sender_id}","content":${content ?? DELETED_TEXT},"sentAt":"${row.sent_at.toISOString()}","version":"${version}"${expiry}${deleted}${more}}`;
}

/** SHA-256 of Node, for the pure code that takes it as an argument. */
export const sha256: Sha256 = (bytes) => createHash('sha256').update(bytes).digest();
