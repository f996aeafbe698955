/** One message of a state digest. `version` is "0" when it was never changed. */
export interface DigestEntry {
  position: string;
  messageId: string;
  version: string;
}

/** How many messages a state digest covers. */
export const DIGEST_LENGTH = 10;

/**
 * The text whose SHA-256 (base64url, no padding) is a conversation's state digest. It lists the
 * last ten visible messages up to a bound, oldest first, each as `position:messageId:version`,
 * joined by `\n`. With fewer than ten, `\n#<count>` follows; with none the text is `#0`.
 */
export function digestText(oldestFirst: readonly DigestEntry[]): string {
  const last = oldestFirst.slice(-DIGEST_LENGTH);
  if (last.length === 0) return '#0';
  const lines = last.map((m) => `${m.position}:${m.messageId}:${m.version}`);
  if (last.length < DIGEST_LENGTH) lines.push(`#${last.length}`);
  return lines.join('\n');
}

/** Test vectors, as published in docs/PROTOCOL.md. Every client must reproduce them. */
export const DIGEST_VECTORS: readonly { messages: DigestEntry[]; digest: string }[] = [
  {
    messages: [
      { position: '1041', messageId: '01890a5d-ac96-774b-bcce-b302099a8057', version: '0' },
      { position: '1042', messageId: '01890a5d-ac97-7c3a-8f10-2b7d5c7e9a11', version: '1050' },
    ],
    digest: 'dRGyoQGaKU0V5JbQMtsNhw0lYfEK9SIaad8N1Llzd40',
  },
  { messages: [], digest: 'nQ_UUihfPJtD8Rhs0NMs1tNmGxvGjA1yJM4b4643YOU' },
  {
    messages: Array.from({ length: 10 }, (_, i) => ({
      position: String(2000 + 3 * i),
      messageId: `01890a5d-ac96-774b-bcce-b302099a80${10 + i}`,
      version: '0',
    })),
    digest: '9_01NSQAcR4ZxJBV-LFysGrNcVfR-pbwcbBEe0NL01k',
  },
];
