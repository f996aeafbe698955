import { type Extras, extrasFields } from '@tidings/protocol/extras';

/**
 * The last fields of a message as the further ones of a JSON object, in records and in pushes alike: its
 * end, and what it carries beside its content. Times and ids were checked and need no escaping.
 */
export function endingFields(expiresAt: string | undefined, extras: Extras | null): string {
  const expires = expiresAt === undefined ? '' : `,"expiresAt":"${expiresAt}"`;
  return extras === null ? expires : expires + extrasFields(extras);
}
