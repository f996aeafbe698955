import type { MessageContent } from '@tidings/protocol/content';
import type { ServerFrame } from '@tidings/protocol/frames';
import type { Receipt } from '@tidings/protocol/http';

/** A frame as the client reads it. */
export type IncomingFrame = ServerFrame;

type Raw = Record<string, unknown>;

const isText = (value: unknown): value is string => typeof value === 'string';
const isRaw = (value: unknown): value is Raw =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Content kinds of later versions are kept as they are: a message must never be lost. */
function isContent(value: unknown): value is MessageContent {
  return isRaw(value) && isText(value['kind']);
}

function hasTexts(raw: Raw, ...names: string[]): boolean {
  return names.every((name) => isText(raw[name]));
}

const isPrevious = (value: unknown): boolean => value === null || isText(value);

function isMessage(value: unknown): boolean {
  return (
    isRaw(value) &&
    hasTexts(value, 'conversationId', 'position', 'messageId', 'senderId', 'sentAt', 'version') &&
    isContent(value['content'])
  );
}

/** A member's watermarks. They are used in calculations, so they must be valid positions. */
export function isReceipt(value: unknown): value is Receipt {
  if (!isRaw(value) || !isText(value['userId'])) return false;
  return [value['delivered'], value['read']].every((mark) => isText(mark) && /^\d+$/.test(mark));
}

function isSyncedConversation(value: unknown): boolean {
  return (
    isRaw(value) &&
    hasTexts(value, 'conversationId', 'state', 'upTo') &&
    Array.isArray(value['messages']) &&
    value['messages'].every(isMessage)
  );
}

/** What every known frame needs at least. Other types, and incomplete frames, are ignored. */
const CHECKS: Record<IncomingFrame['type'], (raw: Raw) => boolean> = {
  welcome: (f) =>
    hasTexts(f, 'userId', 'deviceId', 'gatewayId', 'serverTime', 'resumeTicket') &&
    typeof f['heartbeatSeconds'] === 'number' &&
    isRaw(f['limits']),
  sent: (f) => hasTexts(f, 'messageId', 'conversationId', 'position', 'sentAt'),
  held: (f) => hasTexts(f, 'messageId'),
  message: (f) => isMessage(f) && isPrevious(f['previous']),
  changed: (f) => isMessage(f) && hasTexts(f, 'changeId') && isPrevious(f['previous']),
  conversation: (f) =>
    hasTexts(f, 'conversationId', 'position', 'messageId', 'senderId', 'sentAt') &&
    isPrevious(f['previous']) &&
    isRaw(f['change']) &&
    isText(f['change']['kind']),
  pending: (f) => hasTexts(f, 'conversationId', 'messageId') && Array.isArray(f['offline']),
  receipt: (f) => hasTexts(f, 'conversationId') && isReceipt(f),
  typing: (f) => hasTexts(f, 'conversationId', 'userId') && typeof f['active'] === 'boolean',
  presence: (f) => hasTexts(f, 'userId', 'status') && typeof f['version'] === 'number',
  synced: (f) =>
    hasTexts(f, 'ref') &&
    Array.isArray(f['conversations']) &&
    f['conversations'].every(isSyncedConversation),
  resync: (f) => typeof f['withinMs'] === 'number',
  account: (f) => Array.isArray(f['changed']),
  shed: (f) => Array.isArray(f['lanes']) && f['lanes'].every(isText),
  goodbye: (f) => Array.isArray(f['gateways']),
  pong: (f) => hasTexts(f, 'serverTime'),
  error: (f) => hasTexts(f, 'code') && typeof f['retryable'] === 'boolean',
};

/**
 * Reads a frame of the server. Unknown fields and kinds of content are kept. Unknown types, and
 * frames that lack what their type needs, give null.
 */
export function readFrame(text: string): IncomingFrame | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isRaw(value) || !isText(value['type']) || !Object.hasOwn(CHECKS, value['type'])) return null;
  const type = value['type'] as IncomingFrame['type'];
  return CHECKS[type](value) ? (value as unknown as IncomingFrame) : null;
}
