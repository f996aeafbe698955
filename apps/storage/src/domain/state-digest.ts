import { digestText, type DigestEntry } from '@tidings/common/contracts/digest';
import { base64url, type Sha256 } from '@tidings/common/contracts/ids';

/** Entries of a digest as the database hands them over: `position:messageId:version`, oldest first. */
export type DigestLines = readonly string[];

/** The parts of one line. */
export function digestEntry(line: string): DigestEntry {
  const [position, messageId, version] = line.split(':') as [string, string, string];
  return { position, messageId, version };
}

/** State digest of a conversation: base64url of SHA-256 over contracts' `digestText`. */
export function stateDigest(sha256: Sha256, lines: DigestLines): string {
  const text = digestText(lines.map(digestEntry));
  return base64url(sha256(new TextEncoder().encode(text)));
}
