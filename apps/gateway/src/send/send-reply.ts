import type { TidingsError } from '@tidings/protocol/errors';
import type { SentFrame } from '@tidings/protocol/frames';
import type { FirstAppend } from '@tidings/common/rpc/calls';
import { isoTime } from '../socket/iso-time';

/** Where in the log a message stands, and its times, Unix milliseconds. */
export interface SentPlace {
  position: string;
  sentAtMs: number;
  /** null: it has no end */
  expiresAtMs: number | null;
}

/** What storage knows of a first append, as its sender is told it. */
export function placeOf(first: FirstAppend): SentPlace {
  const { position, sentAt, expiresAt } = first;
  const expiresAtMs = expiresAt === null ? null : Date.parse(expiresAt);
  return { position, sentAtMs: Date.parse(sentAt), expiresAtMs };
}

/** The answer to a sender: a `sent` frame without its type, and the body of the call that sends. */
export type SentBody = Omit<SentFrame, 'type'>;

/** What the sender of a message is told of its place. */
export function sentBody(
  { messageId, conversationId }: Pick<SentBody, 'messageId' | 'conversationId'>,
  { position, sentAtMs, expiresAtMs }: SentPlace,
): SentBody {
  const body: SentBody = { messageId, conversationId, position, sentAt: isoTime(sentAtMs) };
  if (expiresAtMs !== null) body.expiresAt = isoTime(expiresAtMs);
  return body;
}

/** Where the outcome of a send goes; `logged` and `held` may come first, exactly one of the others once. */
export interface SendReply {
  /** Appended as `again`: what comes now depends on storage alone. */
  logged(): void;
  /** On this gateway's disk. */
  held(): void;
  sent(place: SentPlace): void;
  refused(error: TidingsError): void;
  /** Nobody can tell at the moment; the sender asks again. */
  unknown(): void;
}
