import { createHash, randomBytes } from 'node:crypto';

/** The digest of the page's section 2. */
export function tinyDigest(lines: readonly string[]): string {
  const last = lines.slice(-10);
  const count = last.length < 10 ? `#${last.length}` : null;
  const text = [...last, ...(count === null ? [] : [count])].join('\n');
  return createHash('sha256').update(text).digest('base64url');
}

/** A version 7 UUID (RFC 9562 §5.7). */
export function uuid7(nowMs: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = bytes.toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
