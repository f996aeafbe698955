import { TYPING } from '@tidings/protocol/typing';
import { CONVERSATION, ME, PEER } from '../testing/factories';
import { FakeClock } from '../testing/fake-clock';
import { MAX_SHOWN, Typing, type TypingNews } from './typing';

function setUp(features = ['typing']) {
  const clock = new FakeClock();
  const sent: boolean[] = [];
  const news: TypingNews[] = [];
  const typing = new Typing({
    userId: ME,
    clock,
    send: (frame) => {
      const { type, conversationId, active } = JSON.parse(frame) as Record<string, unknown>;
      expect([type, conversationId]).toEqual(['typing', CONVERSATION]);
      return sent.push(active as boolean) > 0;
    },
    emit: (_name, event) => void news.push(event),
  });
  typing.connected(features);
  const hear = (active: boolean, userId = PEER): void =>
    typing.take({ type: 'typing', conversationId: CONVERSATION, userId, active });
  return { clock, sent, news, typing, hear };
}

describe('own typing', () => {
  it('is told at once, then every three seconds while keys are pressed', () => {
    const { clock, sent, typing } = setUp();
    for (let ms = 0; ms < 2 * TYPING.repeatMs; ms += 100) {
      typing.typing(CONVERSATION, true);
      clock.advance(100);
    }
    expect(sent).toEqual([true, true]);
  });

  it('ends by itself five seconds after the last key', () => {
    const { clock, sent, typing } = setUp();
    typing.typing(CONVERSATION, true);
    clock.advance(1_000);
    typing.typing(CONVERSATION, true);
    clock.advance(TYPING.idleMs - 1);
    expect(sent).toEqual([true]);
    clock.advance(1);
    expect(sent).toEqual([true, false]);
    expect(clock.pending).toBe(0);
  });

  it('ends once when told, and begins anew at once', () => {
    const { clock, sent, typing } = setUp();
    typing.typing(CONVERSATION, false);
    typing.typing(CONVERSATION, true);
    typing.typing(CONVERSATION, false);
    typing.typing(CONVERSATION, false);
    typing.typing(CONVERSATION, true);
    expect(sent).toEqual([true, false, true]);
    typing.disconnected();
    expect(clock.pending).toBe(0);
  });

  it('is not told to a server that does not offer it, nor without a connection', () => {
    const { sent, typing } = setUp(['receipts']);
    typing.typing(CONVERSATION, true);
    typing.connected(['typing']);
    typing.disconnected();
    typing.typing(CONVERSATION, true);
    expect(sent).toEqual([]);
  });
});

describe('typing of others', () => {
  it('shows until it ends, and says each change once', () => {
    const { news, typing, hear } = setUp();
    hear(true);
    hear(true);
    expect(typing.in(CONVERSATION)).toEqual([PEER]);
    hear(false);
    hear(false);
    expect(typing.in(CONVERSATION)).toEqual([]);
    expect(news.map((n) => n.active)).toEqual([true, false]);
  });

  it('ends by itself when nothing is heard, or with the message', () => {
    const { clock, news, typing, hear } = setUp();
    hear(true);
    clock.advance(TYPING.shownMs - 1);
    hear(true);
    clock.advance(TYPING.shownMs - 1);
    expect(typing.in(CONVERSATION)).toEqual([PEER]);
    clock.advance(1);
    expect(typing.in(CONVERSATION)).toEqual([]);
    hear(true);
    typing.ended(CONVERSATION, PEER);
    expect(news.map((n) => n.active)).toEqual([true, false, true, false]);
    expect(clock.pending).toBe(0);
  });

  it('ends with the connection; the own user is never shown', () => {
    const { clock, news, typing, hear } = setUp();
    hear(true, ME);
    expect(news).toEqual([]);
    hear(true);
    typing.disconnected();
    expect(typing.in(CONVERSATION)).toEqual([]);
    expect([news.length, clock.pending]).toEqual([2, 0]);
  });

  it('is bounded', () => {
    const { clock, news, hear } = setUp();
    for (let i = 0; i <= MAX_SHOWN; i++) hear(true, `user-${i}`);
    expect([news.length, clock.pending]).toEqual([MAX_SHOWN, MAX_SHOWN]);
    hear(false, 'user-0');
    hear(true, 'one more');
    expect(news.at(-1)).toMatchObject({ userId: 'one more', active: true });
  });
});
