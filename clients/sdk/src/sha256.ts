import { base64url } from '@tidings/protocol/ids';
import { digestText, type DigestEntry } from '@tidings/protocol/digest';

/** SHA-256. That of a browser is asynchronous. */
export type Hash = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** SHA-256 of the Web Crypto API, which browsers offer only on secure origins. */
export const subtleSha256: Hash = async (bytes) =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes)));

/** The state digest of messages, oldest first (docs/PROTOCOL.md, "digest"). */
export async function stateDigest(entries: readonly DigestEntry[], sha256: Hash): Promise<string> {
  return base64url(await sha256(new TextEncoder().encode(digestText(entries))));
}
