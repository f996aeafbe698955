import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import { TidingsError } from '@tidings/protocol/errors';
import type { SendFrame } from '@tidings/protocol/frames';
import { fakeConnection } from '../testing/fake-connection';
import type { Connection } from './connection';
import { FrameRouter, type FrameRouterParts } from './frame-router';
import { WriteQueue } from './write-queue';

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A router whose sends are handled when the test says so, unless they are named `now`. */
function setUp(
  options: Parameters<typeof fakeConnection>[0] = {},
  over: Partial<FrameRouterParts> = {},
) {
  const fake = fakeConnection(options);
  const handled: string[] = [];
  const prepared: string[] = [];
  const world = { acts: 0 };
  const pending: (() => void)[] = [];
  const closes: number[] = [];
  const failures: unknown[] = [];
  const note = (what: string): void => void handled.push(what);
  const textOf = ({ content }: SendFrame): string =>
    content.kind === 'text' ? content.text : content.kind;
  const stuck = new Set<string>();
  /** What rates were asked, and what they answer: 0 at first. */
  const taken: string[] = [];
  const waits: (number | Promise<number>)[] = [];
  const refusal = { error: null as TidingsError | null };
  const limited = (_connection: Connection, frame: { type: string }, error: TidingsError): void => {
    handled.push(`limited ${frame.type} ${error.retryAfterMs}`);
  };
  const parts: FrameRouterParts = {
    sends: {
      stuck: (_connection, frame) => stuck.delete(textOf(frame)),
      limited: (_connection, frame, error) =>
        note(`limited ${textOf(frame)} ${error.retryAfterMs}`),
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
    changes: {
      limited,
      handle: (_connection, frame) => note(`${frame.type} ${frame.changeId}`),
    },
    receipts: {
      limited,
      handle: (_connection, frame) => note(`${frame.type} ${frame.position}`),
    },
    typing: {
      limited,
      isNews: (_connection, frame) => frame.active,
      handle: (_connection, frame) => note(`typing ${frame.active}`),
    },
    activity: {
      limited,
      did: () => void (world.acts += 1),
      handle: (_connection, frame) => note(frame.type),
    },
    watches: { limited, handle: (_connection, frame) => note(`watch ${frame.userIds.length}`) },
    syncs: { limited, handle: (_connection, frame) => note(`sync ${frame.ref}`) },
    rates: {
      take: (_doer, name) => {
        taken.push(name);
        return waits.shift() ?? 0;
      },
    },
    lanes: { textRefusal: () => refusal.error },
    writes: new WriteQueue({ overflow: jest.fn() }),
    close: (connection: Connection, code: number) => {
      connection.ended = true;
      closes.push(code);
    },
    failed: (connection: Connection, error: unknown) => {
      connection.ended = true;
      failures.push(error);
    },
    clock: () => 0,
    wallClock: () => 0,
    ...over,
  };
  const router = new FrameRouter(parts);
  const send = (text: string): void =>
    receive({ type: 'send', messageId: ID, conversationId: 'c', content: { kind: 'text', text } });
  const receive = (frame: unknown): void =>
    router.receive(fake.connection, Buffer.from(JSON.stringify(frame)), false);
  return {
    ...fake,
    router,
    world,
    send,
    receive,
    handled,
    prepared,
    pending,
    closes,
    stuck,
    taken,
    waits,
    refusal,
    failures,
  };
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

  it('refuses what goes into the log when nothing else helps, without its rate, and all else not', async () => {
    const { router, connection, send, receive, handled, taken, stuck, refusal } = setUp();
    router.release(connection);
    await settle();
    refusal.error = new TidingsError('busy', { retryAfterMs: 1_500 });
    stuck.add('stuck');
    send('stuck');
    send('now 1');
    const changed = { changeId: ID, messageId: ID, conversationId: 'c' };
    receive({ type: 'delete', ...changed });
    receive({ type: 'read', conversationId: 'c', position: '5' });
    expect(handled).toEqual(['limited now 1 1500', 'limited delete 1500', 'read 5']);
    expect(taken).toEqual(['receipt']);
    refusal.error = null;
    send('now 2');
    expect(handled.at(-1)).toBe('now 2');
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

  const DEFECT = new Error('a defect');
  const fails = {
    throws: () => {
      throw DEFECT;
    },
    rejects: () => Promise.reject(DEFECT),
  };
  const POSITION = { conversationId: 'c', position: '1' };
  const CHANGE = { changeId: ID, messageId: ID, conversationId: 'c' };
  const KINDS: [string, keyof FrameRouterParts, object][] = [
    ['a change', 'changes', { type: 'delete', ...CHANGE }],
    ['a mark', 'receipts', { type: 'read', ...POSITION }],
    ['a sign of typing', 'typing', { type: 'typing', conversationId: 'c', active: true }],
    ['a sync', 'syncs', { type: 'sync', ref: 'r' }],
  ];
  it.each(
    KINDS.flatMap((kind) => (['throws', 'rejects'] as const).map((how) => [...kind, how] as const)),
  )('ends the socket and nothing else when %s (%s, %j) %s', async (_name, part, frame, how) => {
    const { router, connection, receive, failures } = setUp(
      {},
      { [part]: { isNews: () => true, handle: fails[how] } },
    );
    router.release(connection);
    await settle();
    receive(frame);
    await settle();
    expect(failures).toEqual([DEFECT]);
    expect(connection.ended).toBe(true);
  });

  it.each(['throws', 'rejects'] as const)(
    'ends the socket when a send %s, at once or in its turn',
    async (how) => {
      for (const waits of [false, true]) {
        const sends = {
          stuck: () => false,
          limited: () => undefined,
          prepare: (frame: SendFrame) => ({ frame, first: null }),
          handle: fails[how],
        };
        const { router, connection, send, failures } = setUp({}, { sends });
        if (!waits) router.release(connection);
        await settle();
        send('1');
        send('2');
        if (waits) router.release(connection);
        await settle();
        expect(failures).toEqual([DEFECT]);
        expect(connection.waiting).toBeNull();
      }
    },
  );

  it('takes from the rate of each type of frame, once; not from what is nothing new', async () => {
    const { router, connection, send, receive, taken, stuck, handled, world } = setUp();
    router.release(connection);
    await settle();
    stuck.add('now stuck');
    send('now stuck');
    send('now');
    const ids = { changeId: ID, messageId: ID, conversationId: 'c' };
    receive({ type: 'edit', ...ids, content: { kind: 'text', text: 'x' } });
    receive({ type: 'delete', ...ids });
    receive({ type: 'received', conversationId: 'c', position: '5' });
    receive({ type: 'read', conversationId: 'c', position: '5' });
    receive({ type: 'typing', conversationId: 'c', active: true });
    receive({ type: 'typing', conversationId: 'c', active: false });
    receive({ type: 'activity', kind: 'user' });
    receive({ type: 'state', mode: 'front' });
    receive({ type: 'watch', userIds: [ID] });
    receive({ type: 'sync', ref: 'r' });
    receive({ type: 'ping' });
    receive({ type: 'dance' });
    await settle();
    const presence = ['activity', 'activity', 'watch'];
    const sends = ['send', 'send', 'send'];
    expect(taken).toEqual([...sends, 'receipt', 'receipt', 'typing', ...presence, 'sync']);
    expect(handled).toHaveLength(10);
    // all but what a client sends by itself
    expect(world.acts).toBe(5);
  });

  it('refuses each type of frame that comes too soon, at once or when Redis has told', async () => {
    const { router, connection, send, receive, waits, handled } = setUp();
    router.release(connection);
    await settle();
    const ids = { changeId: ID, messageId: ID, conversationId: 'c' };
    const all = (): void => {
      send('now');
      receive({ type: 'delete', ...ids });
      receive({ type: 'read', conversationId: 'c', position: '5' });
      receive({ type: 'typing', conversationId: 'c', active: true });
      receive({ type: 'state', mode: 'background' });
      receive({ type: 'watch', userIds: [ID] });
      receive({ type: 'sync', ref: 'r' });
    };
    const refused = ['limited now 7', 'limited delete 7', 'limited read 7', 'limited typing 7'];
    refused.push('limited state 7', 'limited watch 7');
    waits.push(7, 7, 7, 7, 7, 7, 7);
    all();
    await settle();
    expect(handled.splice(0)).toEqual([...refused, 'limited sync 7']);
    waits.push(...[7, 7, 7, 7, 7, 7, 7].map((ms) => Promise.resolve(ms)));
    all();
    await settle();
    expect(handled).toEqual([...refused, 'limited sync 7']);
  });

  it('lets no frame overtake one whose rate is being asked', async () => {
    const { router, connection, send, waits, handled } = setUp();
    router.release(connection);
    await settle();
    let tell: (ms: number) => void = () => undefined;
    waits.push(new Promise((resolve) => (tell = resolve)));
    send('now 1');
    send('now 2');
    await settle();
    expect(handled).toEqual([]);
    tell(0);
    await settle();
    expect(handled).toEqual(['now 1', 'now 2']);
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
