import { digestText, type DigestEntry } from '@tidings/protocol/digest';
import { base64url, type Sha256 } from '@tidings/protocol/ids';

/** Entries of a digest as the database hands them over: `position:messageId:version`, oldest first. */
type DigestLines = readonly string[];

/** A digest that was kept, or the lines to compute it from. */
export type Digested = DigestLines | string;

/** The parts of one line. */
export function digestEntry(line: string): DigestEntry {
  const [position, messageId, version] = line.split(':') as [string, string, string];
  return { position, messageId, version };
}

/** State digest of a conversation: base64url of SHA-256 over the protocol's `digestText`. */
export function stateDigest(sha256: Sha256, from: Digested): string {
  if (typeof from === 'string') return from;
  const text = digestText(from.map(digestEntry));
  return base64url(sha256(new TextEncoder().encode(text)));
}
