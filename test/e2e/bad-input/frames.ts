import { randomUUID } from 'node:crypto';
import { uuidv7 } from 'uuidv7';

const id = uuidv7();
const good = { type: 'send', messageId: id, content: { kind: 'text', text: 'x' } };
const at = (text: string): object => ({
  type: 'send',
  messageId: uuidv7(),
  conversationId: 'CONVERSATION',
  content: { kind: 'text', text },
});

/**
 * Frames that are wrong, and the code that says so (`SYNCED`: none does, it is answered);
 * `CONVERSATION` stands for the id of a real one.
 */
export const FRAMES: readonly [name: string, raw: string | object, code: string][] = [
  ['not JSON', '{oops', 'invalid_frame'],
  ['a JSON array', '[]', 'invalid_frame'],
  ['a JSON string', '"hi"', 'invalid_frame'],
  ['null', 'null', 'invalid_frame'],
  ['deep nesting', '['.repeat(20_000) + ']'.repeat(20_000), 'invalid_frame'],
  ['no type', { messageId: id }, 'invalid_frame'],
  ['type of a wrong kind', { type: 7 }, 'invalid_frame'],
  ['an unknown type', { type: 'dance' }, 'unknown_type'],
  ['a prototype name as type', { type: '__proto__' }, 'unknown_type'],
  ['an unknown field', { ...good, conversationId: 'CONVERSATION', seq: 3 }, 'invalid_frame'],
  ['a claimed sender', { ...good, to: id, senderId: id }, 'invalid_frame'],
  ['no target', good, 'invalid_frame'],
  ['two targets', { ...good, to: id, conversationId: 'CONVERSATION' }, 'invalid_frame'],
  ['a message id that is no UUID', { ...good, to: id, messageId: 'x' }, 'invalid_frame'],
  [
    'text of a wrong kind',
    { ...good, to: id, content: { kind: 'text', text: 1 } },
    'invalid_frame',
  ],
  ['unknown content', { ...good, to: id, content: { kind: 'dance' } }, 'invalid_frame'],
  ['a claimed event', { ...good, to: id, content: { kind: 'event', event: {} } }, 'invalid_frame'],
  ['a conversation id with a newline', { ...good, conversationId: 'a\nb' }, 'invalid_frame'],
  ['NUL in the text', at('a\u0000b'), 'invalid_frame'],
  [
    'a lone surrogate',
    '{"type":"send","messageId":"' +
      id +
      '","conversationId":"c","content":{"kind":"text","text":"\\ud800"}}',
    'invalid_frame',
  ],
  ['one byte too many', at('é'.repeat(8192) + 'x'), 'text_too_long'],
  ['emoji one byte too many', at('👍'.repeat(4096) + 'x'), 'text_too_long'],
  [
    'a conversation that does not exist',
    { ...good, conversationId: 'nowhere' },
    'no_such_conversation',
  ],
  ['a user who does not exist', { ...good, messageId: uuidv7(), to: randomUUID() }, 'not_found'],
  ['sync without ref', { type: 'sync' }, 'invalid_frame'],
  ['sync with a bad since', { type: 'sync', ref: 'bad', since: 'AAAA' }, 'SYNCED'],
  [
    'sync with a bad position',
    { type: 'sync', ref: 'p', conversations: [{ conversationId: 'c', position: '-1' }] },
    'invalid_frame',
  ],
  [
    'a number beyond 2^63',
    {
      type: 'sync',
      ref: 'p',
      conversations: [{ conversationId: 'c', position: '9223372036854775808' }],
    },
    'invalid_frame',
  ],
  ['ping with a long ref', { type: 'ping', ref: 'r'.repeat(65) }, 'invalid_frame'],
];
