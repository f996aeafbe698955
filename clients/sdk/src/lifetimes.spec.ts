import type { Conversation } from '@tidings/protocol/http';
import { CONVERSATION, message } from '../testing/factories';
import { Lifetimes } from './lifetimes';

describe('lifetimes', () => {
  const conversation = (lastPosition?: string, messageTtlSeconds?: number) =>
    ({ id: CONVERSATION, lastPosition, messageTtlSeconds }) as Conversation;
  const event = (position: number, seconds: number | null) =>
    message(position, {
      content: { kind: 'event', event: { kind: 'ttl', messageTtlSeconds: seconds } },
    });
  let told: (number | null)[];
  let lifetimes: Lifetimes;
  beforeEach(() => {
    told = [];
    lifetimes = new Lifetimes((_, seconds) => told.push(seconds));
  });

  it('follow the newest word, whatever came last', () => {
    expect(lifetimes.of(CONVERSATION)).toBeNull();
    lifetimes.conversation(conversation('10', 60));
    lifetimes.entry(event(9, 5));
    expect(lifetimes.of(CONVERSATION)).toBe(60);
    lifetimes.entry(event(12, null));
    lifetimes.conversation(conversation('11', 60));
    expect(lifetimes.of(CONVERSATION)).toBeNull();
    expect(told).toEqual([60, null]);
  });

  it('begin with the creation', () => {
    const created = { kind: 'created', conversationKind: 'group', userIds: [] } as const;
    const entry = (position: number, event: object) =>
      message(position, { content: { kind: 'event', event } as never });
    lifetimes.entry(entry(1, { ...created, messageTtlSeconds: 3600 }));
    lifetimes.entry(entry(2, { kind: 'title', title: 't' }));
    lifetimes.entry(message(3));
    expect(lifetimes.of(CONVERSATION)).toBe(3600);
  });

  it('count what is remembered less than anything the server says', () => {
    lifetimes.conversation(conversation(undefined, undefined));
    lifetimes.recall(CONVERSATION, 5);
    expect(lifetimes.of(CONVERSATION)).toBeNull();
    lifetimes.recall('another', 5);
    expect(lifetimes.of('another')).toBe(5);
  });
});
