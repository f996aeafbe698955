import type { Trace } from '@tidings/protocol/trace';
import { wholeTrace } from './trace';

const part = (users: string[], cursor?: string): Trace => ({
  conversationId: 'c',
  messageId: 'm',
  position: '7',
  recipients: 3,
  accepted: 'a',
  logged: null,
  stored: null,
  routed: null,
  expired: null,
  setAside: null,
  delivered: users.map((userId) => ({ userId, at: null })),
  read: users.slice(0, 1).map((userId) => ({ userId, at: null })),
  ...(cursor && { cursor }),
});

describe('wholeTrace', () => {
  it('joins the parts of a large group', async () => {
    const asked: (string | undefined)[] = [];
    const trace = (_c: string, _m: string, page?: { cursor?: string }): Promise<Trace> => {
      asked.push(page?.cursor);
      return Promise.resolve(asked.length === 1 ? part(['1', '2'], 'next') : part(['3']));
    };
    const whole = await wholeTrace({ trace }, 'c', 'm');
    expect(asked).toEqual([undefined, 'next']);
    expect(whole.delivered.map((m) => m.userId)).toEqual(['1', '2', '3']);
    expect(whole.read.map((m) => m.userId)).toEqual(['1', '3']);
    expect(whole).not.toHaveProperty('cursor');
  });
});
