import { message, welcome } from '../testing/factories';
import { readFrame } from './frames';

const pushed = { type: 'message', ...message(5), previous: '4' };

describe('reading frames of the server', () => {
  it.each([
    ['no JSON', '{"type":'],
    ['no object', '["message"]'],
    ['no type', '{"a":1}'],
    ['an unknown type', '{"type":"from the future"}'],
    ['a type that every object has', '{"type":"constructor"}'],
    ['a message without position', JSON.stringify({ ...pushed, position: undefined })],
    ['a message with a number as position', JSON.stringify({ ...pushed, position: 5 })],
    ['a message without content', JSON.stringify({ ...pushed, content: 'text' })],
    ['a message without previous', JSON.stringify({ ...pushed, previous: undefined })],
    [
      'a receipt of no position',
      '{"type":"receipt","conversationId":"c","userId":"u","delivered":"1","read":"x"}',
    ],
    ['an answer with a broken message', '{"type":"synced","ref":"1","conversations":[{}]}'],
  ])('ignores %s', (_, text) => expect(readFrame(text)).toBeNull());

  it.each([
    ['a message', pushed],
    ['an unknown predecessor', { ...pushed, previous: null }],
    ['unknown fields', { ...pushed, mood: 'good' }],
    ['an unknown kind of content', { ...pushed, content: { kind: 'hologram' } }],
    ['a change', { ...pushed, type: 'changed', changeId: 'c' }],
    ['a welcome', welcome('g1')],
    [
      'a receipt',
      { type: 'receipt', conversationId: 'c', userId: 'u', delivered: '2', read: '1', unread: 3 },
    ],
    ['a resync', { type: 'resync', reason: 'r', withinMs: 5 }],
    ['an answer of a sync', { type: 'synced', ref: '1', conversations: [], complete: true }],
  ])('takes %s as it is', (_, frame) => expect(readFrame(JSON.stringify(frame))).toEqual(frame));
});
