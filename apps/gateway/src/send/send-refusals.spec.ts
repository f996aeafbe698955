import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import { LIMITS } from '@tidings/protocol/limits';
import { rateLimited } from '../rates/user-rates';
import { messageId, send, setUp } from '../testing/send-rig';

describe('refusals', () => {
  it.each([
    { world: { known: false, membership: 'no_such_conversation' }, code: 'no_such_conversation' },
    { world: { known: false, membership: 'blocked' }, code: 'blocked' },
    { world: { known: false, membership: 'unavailable' }, code: 'unavailable' },
  ] as const)('$code by membership', async ({ world, code }) => {
    const { handle, answers, writer, connection } = setUp(world);
    await handle(send(1));
    expect(answers()).toEqual([`01 ${code}`]);
    expect(writer.appends).toEqual([]);
    expect(connection.unanswered).toBe(0);
  });

  it('rate_limited with the time to wait; it sticks, and what it sticks to counts no more', () => {
    const { handler, handle, connection, frames, answers, writer } = setUp();
    handler.limited(connection, send(2), rateLimited(250));
    expect(JSON.parse(frames[0]!)).toMatchObject({
      code: 'rate_limited',
      retryable: true,
      retryAfterMs: 250,
      ref: messageId(2),
    });
    expect(handler.stuck(connection, send(3))).toBe(true);
    expect(handler.stuck(connection, send(4, { conversationId: 'd' }))).toBe(false);
    void handle(send(2));
    void handle(send(3));
    writer.flush();
    expect(answers()).toEqual(['02 rate_limited', '03 rate_limited', '02 sent', '03 sent']);
  });

  it('busy at the limit of unanswered sends; what is logged as again counts as answered', async () => {
    const { handle, answers, writer, connection } = setUp();
    for (let i = 0; i <= LIMITS.unansweredSends; i++) {
      void handle(send(i, { conversationId: `c${i}` }));
    }
    expect(answers()).toEqual(['00 busy']);
    writer.flush({ unknown: true });
    expect(connection.unanswered).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(answers()).toEqual(['00 busy']);
  });

  it('busy sticks to its conversation until a refused id comes again', () => {
    const { handle, answers, writer } = setUp();
    writer.full = true;
    void handle(send(1));
    writer.full = false;
    void handle(send(2));
    void handle(send(3, { conversationId: 'other' }));
    void handle(send(1));
    void handle(send(2));
    writer.flush();
    expect(answers()).toEqual(['01 busy', '02 busy', '03 sent', '01 sent', '02 sent']);
    expect(writer.ids).toEqual([messageId(3), messageId(1), messageId(2)]);
  });

  it('a refusal that is final does not stick', async () => {
    const { handle, answers, world, writer } = setUp({ known: false });
    world.membership = 'no_such_conversation';
    await handle(send(1));
    world.membership = 'ok';
    await handle(send(2));
    writer.flush();
    expect(answers()).toEqual(['01 no_such_conversation', '02 sent']);
  });

  it('a failure of the log sticks as well', () => {
    const { handle, answers, writer } = setUp();
    void handle(send(1));
    writer.fail('stopped');
    void handle(send(2));
    expect(answers()).toEqual(['01 unavailable', '02 unavailable']);
  });

  it('closes a connection whose refusals cannot be kept any more', () => {
    const { handle, closes, writer } = setUp();
    writer.full = true;
    for (let i = 0; i <= 1_000; i++) void handle(send(i, { conversationId: `c${i}` }));
    expect(closes).toEqual([CLOSE_CODES.tooManyFrames]);
  });
});
