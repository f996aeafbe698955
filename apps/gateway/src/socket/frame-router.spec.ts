import { CLOSE_CODES } from '@tidings/common/contracts/close-codes';
import type { SendFrame } from '@tidings/common/contracts/frames';
import { fakeConnection } from '../testing/fake-connection';
import type { Connection } from './connection';
import { FrameRouter, type FrameRouterParts } from './frame-router';
import { WriteQueue } from './write-queue';

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A router whose sends are handled when the test says so, unless they are named `now`. */
function setUp(options: Parameters<typeof fakeConnection>[0] = {}) {
  const fake = fakeConnection(options);
  const handled: string[] = [];
  const prepared: string[] = [];
  const pending: (() => void)[] = [];
  const closes: number[] = [];
  const textOf = ({ content }: SendFrame): string =>
    content.kind === 'text' ? content.text : content.kind;
  const parts: FrameRouterParts = {
    sends: {
      prepare: (frame) => {
        prepared.push(textOf(frame));
        return { frame, first: null };
      },
      handle: (_connection, { frame }) => {
        handled.push(textOf(frame));
        if (textOf(frame).startsWith('now')) return;
        return new Promise((resolve) => pending.push(resolve));
      },
    },
    changes: { handle: (_connection, frame) => handled.push(`${frame.type} ${frame.changeId}`) },
    receipts: { handle: (_connection, frame) => handled.push(`${frame.type} ${frame.position}`) },
    typing: { handle: (_connection, frame) => handled.push(`typing ${frame.active}`) },
    syncs: { handle: (_connection, frame) => handled.push(`sync ${frame.ref}`) },
    writes: new WriteQueue({ overflow: jest.fn() }),
    close: (connection: Connection, code: number) => {
      connection.ended = true;
      closes.push(code);
    },
    clock: () => 0,
    wallClock: () => 0,
  };
  const router = new FrameRouter(parts);
  const send = (text: string): void =>
    receive({ type: 'send', messageId: ID, conversationId: 'c', content: { kind: 'text', text } });
  const receive = (frame: unknown): void =>
    router.receive(fake.connection, Buffer.from(JSON.stringify(frame)), false);
  return { ...fake, router, send, receive, handled, prepared, pending, closes };
}

describe('FrameRouter', () => {
  it('keeps every frame back until the connection is released', async () => {
    const { router, connection, send, handled } = setUp();
    send('now 1');
    expect(handled).toEqual([]);
    router.release(connection);
    await settle();
    expect(handled).toEqual(['now 1']);
    expect(connection.waiting).toBeNull();
  });

  it('handles a frame in the turn in which it comes when nothing waits', async () => {
    const { router, connection, send, handled } = setUp();
    router.release(connection);
    await settle();
    send('now 1');
    expect(handled).toEqual(['now 1']);
  });

  it.each(['received', 'read'])('hands a %s frame on', async (type) => {
    const { router, connection, receive, handled, frames } = setUp();
    router.release(connection);
    await settle();
    receive({ type, conversationId: 'c', position: '5' });
    receive({ type, conversationId: 'c', position: '5', userId: ID });
    await settle();
    expect(handled).toEqual([`${type} 5`]);
    expect(frames.map((f) => (JSON.parse(f) as { code: string }).code)).toEqual(['invalid_frame']);
  });

  it('lets no frame overtake one that waits, of whatever type', async () => {
    const { router, connection, send, receive, handled, pending, prepared, frames } = setUp();
    router.release(connection);
    await settle();
    send('slow 1');
    send('now 2');
    receive({ type: 'sync', ref: 'r' });
    receive({ type: 'ping', ref: 'p' });
    send('slow 3');
    send('now 4');
    await settle();
    expect(handled).toEqual(['slow 1']);
    expect(prepared).toEqual(['now 2', 'slow 3', 'now 4']);
    expect(frames).toEqual([]);
    pending[0]!();
    await settle();
    expect(handled).toEqual(['slow 1', 'now 2', 'sync r', 'slow 3']);
    expect(JSON.parse(frames[0]!)).toMatchObject({ type: 'pong', ref: 'p' });
    pending[1]!();
    await settle();
    expect(handled).toEqual(['slow 1', 'now 2', 'sync r', 'slow 3', 'now 4']);
    expect(connection.waiting).toBeNull();
  });

  it('hands edits and deletions on, behind what came before them', async () => {
    const { router, connection, send, receive, handled, pending } = setUp();
    router.release(connection);
    await settle();
    send('slow');
    const ids = { changeId: ID, messageId: ID, conversationId: 'c' };
    receive({ type: 'edit', ...ids, content: { kind: 'text', text: 'x' } });
    receive({ type: 'delete', ...ids });
    expect(handled).toEqual(['slow']);
    pending[0]!();
    await settle();
    expect(handled).toEqual(['slow', `edit ${ID}`, `delete ${ID}`]);
  });

  it('stops reading a socket with too many frames waiting, and goes on later', async () => {
    const { router, connection, socket, send, pending } = setUp();
    router.release(connection);
    await settle();
    send('slow');
    for (let i = 0; i < 63; i++) send(`now ${i}`);
    expect(socket.calls).toEqual([]);
    send('now 63');
    send('now 64');
    expect(socket.calls).toEqual(['pause']);
    pending[0]!();
    await settle();
    expect(socket.calls).toEqual(['pause', 'resume']);
  });

  it('works nothing off for a connection that has ended', async () => {
    const { router, connection, send, handled, pending } = setUp();
    router.release(connection);
    await settle();
    send('slow');
    send('now');
    connection.ended = true;
    pending[0]!();
    await settle();
    send('now');
    expect(handled).toEqual(['slow']);
  });

  it('closes a socket for binary frames and for too many frames', async () => {
    const one = setUp();
    one.router.receive(one.connection, Buffer.from('{}'), true);
    expect(one.closes).toEqual([CLOSE_CODES.protocolError]);
    const two = setUp({ frames: { perSecond: 1, burst: 3 } });
    for (let i = 0; i < 4; i++) two.receive({ type: 'ping' });
    expect(two.closes).toEqual([CLOSE_CODES.tooManyFrames]);
  });

  it.each([
    { text: 'no json', code: 'invalid_frame', echo: {} },
    { text: '[]', code: 'invalid_frame', echo: {} },
    { text: '{"type":"dance","ref":"r"}', code: 'unknown_type', echo: { ref: 'r' } },
    { text: '{"type":"ping","x":1}', code: 'invalid_frame', echo: {} },
    {
      text: `{"type":"send","messageId":"${ID}"}`,
      code: 'invalid_frame',
      echo: { ref: ID, messageId: ID },
    },
    {
      text: `{"type":"delete","changeId":"${ID}","messageId":"${ID}","conversationId":"c","x":1}`,
      code: 'invalid_frame',
      echo: { ref: ID, conversationId: 'c' },
    },
    {
      text: `{"type":"edit","changeId":"${ID}","messageId":"${ID}","conversationId":"c"}`,
      code: 'invalid_frame',
      echo: { ref: ID },
    },
  ])('answers $text with $code', async ({ text, code, echo }) => {
    const { router, connection, frames } = setUp();
    router.release(connection);
    await settle();
    router.receive(connection, Buffer.from(text), false);
    expect(JSON.parse(frames[0]!)).toMatchObject({
      type: 'error',
      code,
      retryable: false,
      ...echo,
    });
    expect(connection.ended).toBe(false);
  });
});
