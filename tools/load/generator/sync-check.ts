import { createHash } from 'node:crypto';
import { DIGEST_LENGTH, digestText } from '@tidings/protocol/digest';
import type { SyncedBody, SyncedConversation, SyncRequest } from '@tidings/protocol/frames';
import type { ExpectedState, SyncErrorType, SyncKind } from './connects-protocol';

/** What a device holds after a sync: the request that asks for nothing new. */
export type Held = Required<Pick<SyncRequest, 'since' | 'conversations'>>;

/** Takes errors, one at a time. */
export type OnSyncError = (type: SyncErrorType, what: () => string) => void;

/**
 * Checks an answer against the store: every conversation once, with the right state and digest, and
 * for a new device the newest messages, from which the digest is computed again.
 */
export function checkAnswer(
  kind: SyncKind,
  expected: readonly ExpectedState[],
  bodies: readonly SyncedBody[],
  error: OnSyncError,
): void {
  const last = bodies.at(-1);
  if (last?.complete !== true || last.since === undefined) {
    error('incomplete', () => JSON.stringify({ ...last, conversations: undefined }));
  }
  const told = new Map<string, SyncedConversation>();
  for (const conversation of bodies.flatMap((body) => body.conversations)) {
    const { conversationId } = conversation;
    if (told.has(conversationId)) error('conversations', () => `${conversationId} came twice`);
    told.set(conversationId, conversation);
  }
  for (const one of expected) {
    const conversation = told.get(one.conversationId);
    told.delete(one.conversationId);
    if (!conversation) error('conversations', () => `${one.conversationId} is missing`);
    else checkConversation(kind, one, conversation, error);
  }
  for (const id of told.keys()) error('conversations', () => `${id} was not expected`);
}

function checkConversation(
  kind: SyncKind,
  expected: ExpectedState,
  { conversationId, state, messages, digest }: SyncedConversation,
  error: OnSyncError,
): void {
  const wanted = kind === 'new' ? 'new' : 'same';
  if (state !== wanted) error('state', () => `${conversationId}: ${state} instead of ${wanted}`);
  const count = kind === 'new' ? expected.messages : 0;
  if (messages.length !== count) {
    error('messages', () => `${conversationId}: ${messages.length} messages instead of ${count}`);
  } else if (kind === 'new' && digestOf(messages) !== expected.digest) {
    error('messages', () => `${conversationId}: other messages than the store's`);
  }
  if (digest !== expected.digest) {
    error('digest', () => `${conversationId}: ${digest} instead of ${expected.digest}`);
  }
}

/** State digest of messages, oldest first. */
export function digestOf(
  messages: readonly { position: string; messageId: string; version: string }[],
): string {
  return createHash('sha256')
    .update(digestText(messages.slice(-DIGEST_LENGTH)))
    .digest('base64url');
}

/** What a device that took this answer asks next time. */
export function heldAfter(bodies: readonly SyncedBody[]): Held {
  const conversations = bodies
    .flatMap((body) => body.conversations)
    .map(({ conversationId, upTo, digest }) => ({ conversationId, position: upTo, digest }));
  return { since: bodies.at(-1)?.since ?? '', conversations };
}
