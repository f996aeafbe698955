import { type Extras, extrasFields } from '@tidings/protocol/extras';

/**
 * The last fields of a message as further fields of a JSON object, the same in records and pushes:
 * its expiry, and what it carries besides its content. Times and ids were checked and need no
 * escaping.
 */
export function endingFields(expiresAt: string | undefined, extras: Extras | null): string {
  const expires = expiresAt === undefined ? '' : `,"expiresAt":"${expiresAt}"`;
  return extras === null ? expires : expires + extrasFields(extras);
}
