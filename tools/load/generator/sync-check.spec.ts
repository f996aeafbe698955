import type { Message } from '@tidings/protocol/content';
import type { SyncedBody, SyncedConversation } from '@tidings/protocol/frames';
import type { SyncErrorType, SyncKind } from './connects-protocol';
import { checkAnswer, digestOf, heldAfter } from './sync-check';

const MESSAGES = [1, 2].map((n) => ({
  position: String(n),
  messageId: `01890a5d-ac97-7c3a-8f10-00000000000${n}`,
  version: '0',
})) as Message[];
const DIGEST = digestOf(MESSAGES);
const EXPECTED = ['a', 'b'].map((conversationId) => ({
  conversationId,
  digest: DIGEST,
  messages: 2,
}));

function told(
  kind: SyncKind,
  conversationId: string,
  change: Partial<SyncedConversation> = {},
): SyncedConversation {
  return {
    conversationId,
    digest: DIGEST,
    more: false,
    upTo: '2',
    unread: 0,
    receipts: [],
    state: kind === 'new' ? 'new' : 'same',
    messages: kind === 'new' ? MESSAGES : [],
    ...change,
  };
}

function errorsOf(kind: SyncKind, bodies: SyncedBody[]): SyncErrorType[] {
  const errors: SyncErrorType[] = [];
  checkAnswer(kind, EXPECTED, bodies, (type, what) => {
    expect(what()).not.toBe('');
    errors.push(type);
  });
  return errors;
}

const END = { since: 's', complete: true };

describe('checkAnswer', () => {
  it.each<SyncKind>(['new', 'equal'])('passes a right answer in two frames: %s', (kind) => {
    const bodies = [
      { conversations: [told(kind, 'b')] },
      { conversations: [told(kind, 'a')], ...END },
    ];
    expect(errorsOf(kind, bodies)).toEqual([]);
    expect(heldAfter(bodies)).toEqual({
      since: 's',
      conversations: ['b', 'a'].map((conversationId) => ({
        conversationId,
        position: '2',
        digest: DIGEST,
      })),
    });
  });

  const wrong: [SyncErrorType, SyncKind, Partial<SyncedConversation>][] = [
    ['state', 'new', { state: 'behind' }],
    ['state', 'equal', { state: 'reset' }],
    ['messages', 'new', { messages: MESSAGES.slice(1) }],
    ['messages', 'new', { messages: [MESSAGES[1]!, MESSAGES[0]!] }],
    ['messages', 'equal', { messages: MESSAGES }],
    ['digest', 'new', { digest: 'another' }],
    ['digest', 'equal', { digest: 'another' }],
  ];
  it.each(wrong)('finds: %s (%s) %j', (type, kind, change) => {
    const conversations = [told(kind, 'a', change), told(kind, 'b')];
    expect(errorsOf(kind, [{ conversations, ...END }])).toEqual([type]);
  });

  it.each<[SyncErrorType, SyncedBody]>([
    ['conversations', { conversations: [told('new', 'a')], ...END }],
    ['conversations', { conversations: ['a', 'b', 'b'].map((id) => told('new', id)), ...END }],
    ['conversations', { conversations: ['a', 'b', 'c'].map((id) => told('new', id)), ...END }],
    ['incomplete', { conversations: ['a', 'b'].map((id) => told('new', id)), since: 's' }],
    ['incomplete', { conversations: ['a', 'b'].map((id) => told('new', id)), complete: true }],
  ])('finds: %s', (type, body) => {
    expect(errorsOf('new', [body])).toEqual([type]);
  });
});
