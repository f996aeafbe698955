import { TidingsError } from '@tidings/protocol/errors';
import { base64url } from '@tidings/protocol/ids';
import { isStorable } from '@tidings/protocol/text';

/** A list's cursor: the sort key of the last item, opaque to clients. */
export function encodeCursor(key: readonly string[]): string {
  return base64url(new TextEncoder().encode(JSON.stringify(key)));
}

/** The sort key of a cursor with `parts` parts. Throws `invalid_request`: it came from outside. */
export function decodeCursor(cursor: string, parts: number): string[] {
  const key = parse(cursor);
  const valid =
    Array.isArray(key) &&
    key.length === parts &&
    key.every((part) => typeof part === 'string' && isStorable(part));
  if (!valid) throw new TidingsError('invalid_request', { detail: 'cursor: not one of ours' });
  return key as string[];
}

function parse(cursor: string): unknown {
  try {
    const binary = atob(cursor.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
}
