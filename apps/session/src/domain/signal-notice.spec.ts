import type { ConversationRouting } from '@tidings/common/rpc/calls';
import { LIMITS } from '@tidings/protocol/limits';
import { EVENT_TYPES } from '@tidings/common/log-events/events';
import { signalNotice, type Signal } from './signal-notice';

const signal: Signal = {
  kind: 'event',
  type: EVENT_TYPES.typing,
  event: { conversationId: 'c', userId: 'ann', active: true, at: '' },
};
const members = (...ids: string[]) => ids.map((userId) => ({ userId, from: '0', until: null }));
const routing = (fields: Partial<ConversationRouting> = {}): ConversationRouting => ({
  conversationId: 'c',
  kind: 'group',
  version: 1,
  lastPosition: '0',
  members: members('ann', 'bob', 'carol'),
  ...fields,
});
const crowd = (n: number) => members('ann', ...Array.from({ length: n - 1 }, (_, i) => `u${i}`));

describe('signalNotice', () => {
  it('is for the others', () => {
    expect(signalNotice(signal, routing())).toEqual({
      frame: '{"type":"typing","conversationId":"c","userId":"ann","active":true}',
      userIds: ['bob', 'carol'],
      exceptDevice: null,
    });
  });

  it('leaves out who is no member any more', () => {
    const gone = { userId: 'bob', from: '0', until: '9' };
    const left = [...members('ann', 'carol'), gone];
    expect(signalNotice(signal, routing({ members: left }))?.userIds).toEqual(['carol']);
  });

  it.each<[string, Partial<ConversationRouting>]>([
    ['a stranger', { members: members('bob', 'carol') }],
    ['who was removed', { members: [{ userId: 'ann', from: '0', until: '9' }, ...members('bob')] }],
    ['who is alone', { members: members('ann') }],
    ['who is blocked', { kind: 'direct', members: members('ann', 'bob'), blocked: ['ann'] }],
    ['who blocks', { kind: 'direct', members: members('ann', 'bob'), blocked: ['bob'] }],
    ['everyone', { kind: 'everyone' }],
    ['a crowd', { members: crowd(LIMITS.membersInline + 1) }],
  ])('is not written for %s', (_who, fields) => {
    expect(signalNotice(signal, routing(fields))).toBeNull();
  });

  it(`reaches up to ${LIMITS.membersInline} members`, () => {
    const notice = signalNotice(signal, routing({ members: crowd(LIMITS.membersInline) }));
    expect(notice?.userIds).toHaveLength(LIMITS.membersInline - 1);
  });
});
