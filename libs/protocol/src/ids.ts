import { z } from 'zod';

/**
 * A UUID in its lower-case text form (RFC 9562). Upper case is refused, because ids are compared as
 * text.
 */
export const uuid = z
  .string()
  .regex(
    /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
    'a lower-case UUID is expected',
  );

/** An opaque conversation id: base64url of a SHA-256, 43 characters. */
export const conversationId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'not a conversation id');

/**
 * The conversation of everybody, to which only broadcasts are written: base64url of the SHA-256 of
 * "everyone".
 */
export const EVERYONE_ID = 'XWeZGulnmUyUsuIaTWOcZZ01em-9P6dD5PZjikQNNcc';

/** SHA-256 of UTF-8 text. The caller passes it in, so that this folder stays browser-safe. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** base64url without padding (RFC 4648 §5). */
export function base64url(bytes: Uint8Array): string {
  let out = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const rest = bytes.length - i;
    const chunk = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out += ALPHABET[(chunk >> 18) & 63]! + ALPHABET[(chunk >> 12) & 63]!;
    if (rest > 1) out += ALPHABET[(chunk >> 6) & 63]!;
    if (rest > 2) out += ALPHABET[chunk & 63]!;
  }
  return out;
}

/** The text whose hash is a conversation's id: creation time, sorted founders, request id. */
function conversationIdText(
  createdAtMs: number,
  founders: readonly string[],
  requestId = '',
): string {
  return `${createdAtMs}\n${[...founders].sort().join(',')}\n${requestId}`;
}

/**
 * Id of a conversation: base64url(SHA-256(text)). The text joins by `\n`: Unix milliseconds of
 * creation; the sorted ids of the founders, joined by `,`; the request id, or nothing.
 */
export function makeConversationId(
  sha256: Sha256,
  createdAtMs: number,
  founders: readonly string[],
  requestId?: string,
): string {
  const text = conversationIdText(createdAtMs, founders, requestId);
  return base64url(sha256(new TextEncoder().encode(text)));
}

/** Unix milliseconds of a UUIDv7 (RFC 9562 §5.7); null when the id is of another version. */
export function uuidV7Time(id: string): number | null {
  if (id[14] !== '7') return null;
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
