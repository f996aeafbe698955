import { createHash } from 'node:crypto';
import type { Message, MessageContent } from '@tidings/protocol/content';
import type { Extras } from '@tidings/protocol/extras';
import type { Sha256 } from '@tidings/protocol/ids';

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
    'conversation_id',
    'message_id',
    'position',
    'version',
    'sender_id',
    'sent_at',
    'expires_at',
    'deleted',
    'content',
    'extras',
  ]
    .map((column) => `${t}.${column}`)
    .join(', ');
}

/** Bytes of {@link toMessage} as JSON, beside content and extras: field names, ids, positions, times. */
const MESSAGE_FRAME_BYTES = 420;

/**
 * SQL scalar: bytes of {@link toMessage} of a row of the table or alias `t` as JSON, at most; 0 of a
 * row that is not there. Reads no content, only how long it is.
 */
export function messageBytes(t: string): string {
  return `CASE WHEN ${t}.message_id IS NULL THEN 0
    ELSE ${MESSAGE_FRAME_BYTES} + COALESCE(octet_length(${t}.content), 0)
      + COALESCE(octet_length(${t}.extras), 0) END`;
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

/** An SQL time as ISO 8601 in UTC, the time zone of our connections. */
const isoTime = (time: string): string => `to_char(${time}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/**
 * SQL scalar: {@link toMessage} of a row of the table or alias `t` as JSON text, for answers with many:
 * what is stored as JSON is not parsed, and ids, positions and times need no escaping.
 */
export function messageJson(t: string): string {
  const field = (name: string, value: string): string => `,"${name}":"' || ${value} || '"`;
  return `'{"conversationId":"' || ${t}.conversation_id || '"${field('position', `${t}.position`)}${field(
    'messageId',
    `${t}.message_id`,
  )}${field('senderId', `${t}.sender_id`)},"content":' || COALESCE(${t}.content, '${DELETED_TEXT}')
    || '${field('sentAt', isoTime(`${t}.sent_at`))}${field('version', `${t}.version`)}'
    || CASE WHEN ${t}.expires_at IS NULL THEN ''
         ELSE '${field('expiresAt', isoTime(`${t}.expires_at`))}' END
    || CASE WHEN ${t}.deleted THEN ',"deleted":true' ELSE '' END
    || CASE WHEN ${t}.extras IS NULL OR ${t}.extras = '{}' THEN ''
         ELSE ',' || substr(${t}.extras, 2, length(${t}.extras) - 2) END
    || '}'`;
}

/** SHA-256 of Node, for the pure code that takes it as an argument. */
export const sha256: Sha256 = (bytes) => createHash('sha256').update(bytes).digest();
