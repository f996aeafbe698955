/**
 * Whether a browser at `origin` may use this gateway: listed, or the very host that was asked. No
 * Origin at all means a client that is no browser; it still needs its ticket or token.
 */
export function isAllowedOrigin(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[],
): boolean {
  if (origin === undefined) return true;
  if (allowed.includes(origin)) return true;
  if (host === undefined) return false;
  return origin === `https://${host}` || origin === `http://${host}`;
}
