import type { SyncedBody, SyncedConversation } from '@tidings/common/contracts/frames';
import { LIMITS } from '@tidings/common/contracts/limits';
import { utf8Bytes } from '@tidings/common/contracts/text';

/** Room in a frame for what stands beside the conversations: type, ref, since. */
const FRAME_ROOM = 16 * 1024;
/** Bytes of conversations in one frame. */
export const BODY_BYTES = LIMITS.serverFrameBytes - FRAME_ROOM;
/** Bytes of one conversation: it is never spread over frames. */
export const CONVERSATION_BYTES = BODY_BYTES - 1024;
/** Bytes of one whole answer; what comes behind goes into the next. */
export const ANSWER_BYTES = 2 * 1024 * 1024;

/** A conversation with its size as JSON, in bytes of UTF-8. */
export interface Sized {
  conversation: SyncedConversation;
  bytes: number;
}

/**
 * Fits a conversation into one frame: leaves out its oldest new messages (`isNew`), as `more` says.
 * Changed ones are never left out.
 */
export function fitConversation(
  conversation: SyncedConversation,
  isNew: (position: string) => boolean,
): Sized {
  let bytes = utf8Bytes(JSON.stringify(conversation));
  if (bytes <= CONVERSATION_BYTES) return { conversation, bytes };
  const messages = [...conversation.messages];
  const oldest = messages.findIndex((m) => isNew(m.position));
  // The newest message stays in any case; one message always fits.
  for (; oldest >= 0 && bytes > CONVERSATION_BYTES && messages.length - oldest > 1;) {
    bytes -= utf8Bytes(JSON.stringify(messages[oldest])) + 1;
    messages.splice(oldest, 1);
  }
  return { conversation: { ...conversation, messages, more: true }, bytes };
}

/** How many of these conversations go into one answer; at least one. */
export function answerLength(sized: readonly Sized[]): number {
  let bytes = 0;
  for (let i = 0; i < sized.length; i++) {
    bytes += sized[i]!.bytes;
    if (i > 0 && bytes > ANSWER_BYTES) return i;
  }
  return sized.length;
}

/** Packs conversations into the bodies of frames, in order; the last one carries `end`. */
export function packBodies(
  sized: readonly Sized[],
  end: Pick<SyncedBody, 'since' | 'complete' | 'delayed'>,
): SyncedBody[] {
  const bodies: SyncedBody[] = [{ conversations: [] }];
  let used = 0;
  for (const { conversation, bytes } of sized) {
    if (used > 0 && used + bytes + 1 > BODY_BYTES) {
      bodies.push({ conversations: [] });
      used = 0;
    }
    bodies.at(-1)!.conversations.push(conversation);
    used += bytes + 1;
  }
  Object.assign(bodies.at(-1)!, end);
  return bodies;
}
