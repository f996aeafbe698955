import type { Message } from '@tidings/protocol/content';
import type { SyncedConversation } from '@tidings/protocol/frames';
import { LIMITS } from '@tidings/protocol/limits';
import type { WelcomeFrame } from '../src/connection';
import type { OutboxRecord } from '../src/outbox-store';

export const ME = '00000000-0000-7000-8000-00000000000a';
export const PEER = '00000000-0000-7000-8000-00000000000b';
export const THIRD = '00000000-0000-7000-8000-00000000000c';
export const CONVERSATION = 'conversation-1';

/** A UUIDv7-shaped id with a number in it. */
export function id(n: number): string {
  return `01890a5d-ac96-774b-8000-${String(n).padStart(12, '0')}`;
}

/** A message at a position; its id is made from `n`, which is the position unless given. */
export function message(position: number, more: Partial<Message> & { n?: number } = {}): Message {
  const { n = position, ...fields } = more;
  return {
    conversationId: CONVERSATION,
    position: String(position),
    messageId: id(n),
    senderId: PEER,
    content: { kind: 'text', text: `text ${n}` },
    sentAt: '2026-01-01T00:00:00.000Z',
    version: '0',
    ...fields,
  };
}

/** A message that waits to be sent. */
export function outboxRecord(n: number, more: Partial<OutboxRecord> = {}): OutboxRecord {
  return {
    messageId: id(n),
    conversationId: CONVERSATION,
    content: { kind: 'text', text: `text ${n}` },
    writtenAt: 0,
    ...more,
  };
}

/** One conversation of a `synced` answer. */
export function served(
  state: SyncedConversation['state'],
  upTo: number,
  messages: Message[] = [],
  more = false,
): SyncedConversation {
  return {
    conversationId: messages[0]?.conversationId ?? CONVERSATION,
    state,
    messages,
    more,
    upTo: String(upTo),
    digest: '',
    unread: 0,
    receipts: [],
  };
}

/** A `welcome` of a gateway. */
export function welcome(gatewayId: string, more: Partial<WelcomeFrame> = {}): WelcomeFrame {
  return {
    type: 'welcome',
    connectionId: 'c',
    userId: ME,
    deviceId: '00000000-0000-7000-8000-0000000000d1',
    gatewayId,
    serverTime: '2026-11-21T10:00:00.000Z',
    heartbeatSeconds: 25,
    limits: { ...LIMITS },
    features: [],
    resumeTicket: `resume-${gatewayId}`,
    ...more,
  };
}
