import { CLOSE_CODES } from '@tidings/common/contracts/close-codes';
import { TidingsError } from '@tidings/common/contracts/errors';
import type { SendFrame } from '@tidings/common/contracts/frames';
import type { FirstAppend } from '@tidings/common/contracts/internal';
import { LIMITS } from '@tidings/common/contracts/limits';
import { Metrics } from '@tidings/common/runtime/metrics';
import { fakeConnection } from '../testing/fake-connection';
import { FakeWriter } from '../testing/fake-writer';
import { WriteQueue } from '../socket/write-queue';
import { HeldMessages } from '../spool/held-messages';
import type { SendDone } from '../spool/spool-lane';
import { spooledMessage } from '../spool/spooled-message';
import type { DirectConversations } from './direct-conversations';
import type { FirstAppends } from './first-appends';
import { LogPositions } from './log-positions';
import type { Membership } from './membership';
import { contentHashOf } from './message-record';
import { MessageLog, type CompleteMessage } from './message-log';
import { SendCounts } from './send-counts';
import { SendHandler, type SendHandlerParts } from './send.handler';

const NOW = 1_700_000_000_000;
const TO = '01890a5d-ac96-774b-bcce-b302099a8003';

/** A fresh UUIDv7 with this number in it. */
function messageId(n: number, at = NOW): string {
  const hex = at.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${String(n).padStart(12, '0')}`;
}

function send(n: number, over: Partial<SendFrame> = {}): SendFrame {
  return {
    type: 'send',
    messageId: messageId(n),
    conversationId: over.to === undefined ? 'c' : undefined,
    content: { kind: 'text', text: `text ${n}` },
    ...over,
  };
}

interface World {
  known: boolean;
  ttlSeconds: number | null;
  membership: 'ok' | 'no_such_conversation' | 'blocked' | 'unavailable';
  direct: 'd' | 'not_found' | 'unavailable';
  first: FirstAppend | null;
  media: 'ok' | 'media_not_found' | 'unavailable';
}

function settled<T>(membership: World['membership'], value: T): Promise<T> {
  return membership === 'ok'
    ? Promise.resolve(value)
    : Promise.reject(new TidingsError(membership));
}

function setUp(over: Partial<World> = {}, options: Parameters<typeof fakeConnection>[0] = {}) {
  const world: World = {
    known: true,
    ttlSeconds: null,
    membership: 'ok',
    direct: 'd',
    first: null,
    media: 'ok',
    ...over,
  };
  const fake = fakeConnection(options);
  const writer = new FakeWriter();
  const lookups: string[] = [];
  const closes: number[] = [];
  let directKnown: string | undefined;
  const firsts = {
    lookUp: (_conversationId: string, id: string) => {
      lookups.push(id);
      return Promise.resolve(world.first);
    },
    confirm: () => Promise.resolve(world.first),
  } as unknown as FirstAppends;
  const membership = {
    terms: () => (world.known ? { ttlSeconds: world.ttlSeconds } : null),
    require: () => settled(world.membership === 'blocked' ? 'ok' : world.membership, undefined),
    requireSender: () => settled(world.membership, { ttlSeconds: world.ttlSeconds }),
  } as unknown as Membership;
  const directs = {
    known: () => directKnown,
    resolve: () => {
      if (world.direct !== 'd') return Promise.reject(new TidingsError(world.direct));
      directKnown = 'd';
      return Promise.resolve('d');
    },
  } as unknown as DirectConversations;
  const completed: string[] = [];
  const media: SendHandlerParts['media'] = {
    complete: async (message) => {
      completed.push(message.messageId);
      await new Promise((resolve) => setImmediate(resolve));
      if (world.media !== 'ok') throw new TidingsError(world.media);
      const facts = { type: 'image/png', size: 7, width: 3, height: 2 };
      return { ...message, content: { ...message.content, ...facts } } as CompleteMessage;
    },
  };
  const clock = (): number => 0;
  const wallClock = (): number => NOW;
  const positions = LogPositions.of(1, ['0']);
  const handler = new SendHandler({
    log: new MessageLog({ writer, held: new HeldMessages(), positions, firsts, clock, wallClock }),
    membership,
    media,
    directs,
    firsts,
    writes: new WriteQueue({ overflow: jest.fn() }),
    counts: new SendCounts(new Metrics({ service: 'gateway', node: 'g' })),
    close: (connection, code) => {
      connection.ended = true;
      closes.push(code);
    },
    clock,
    wallClock,
  });
  const handle = (frame: SendFrame) => handler.handle(fake.connection, { frame, first: null });
  const answers = () =>
    fake.frames.map((f) => {
      const frame = JSON.parse(f) as { type: string; code?: string; messageId: string };
      return `${frame.messageId.slice(-2)} ${frame.code ?? frame.type}`;
    });
  return { ...fake, handler, handle, answers, world, writer, lookups, completed, closes };
}

describe('the common send', () => {
  it('is appended in the turn in which it came, and answered by the log', () => {
    const { handle, writer, frames, lookups } = setUp();
    expect(handle(send(1))).toBeUndefined();
    expect(writer.ids).toEqual([messageId(1)]);
    expect(frames).toEqual([]);
    writer.flush();
    expect(JSON.parse(frames[0]!)).toEqual({
      type: 'sent',
      messageId: messageId(1),
      conversationId: 'c',
      position: '0',
      sentAt: new Date(NOW).toISOString(),
    });
    expect(lookups).toEqual([]);
    expect(writer.appends[0]!.again).toBe(false);
  });
});

describe('a send that may not be the first', () => {
  it.each([
    { name: 'retry', frame: send(1, { retry: true }) },
    { name: 'an old id', frame: send(1, { messageId: messageId(1, NOW - 61_000) }) },
    { name: 'an id from the future', frame: send(1, { messageId: messageId(1, NOW + 61_000) }) },
    { name: 'an id v4', frame: send(1, { messageId: '01890a5d-ac96-474b-bcce-b30209000001' }) },
  ])('($name) asks storage first, and is appended as again', async ({ frame }) => {
    const { handle, writer, lookups, frames } = setUp();
    await handle(frame);
    expect(lookups).toEqual([frame.messageId]);
    expect(writer.appends[0]!.again).toBe(true);
    expect(frames).toEqual([]);
  });

  it('is answered from storage when that knows it, and not appended', async () => {
    const first = {
      position: '5',
      senderId: fakeConnection().connection.userId,
      contentHash: contentHashOf(send(1).content),
      sentAt: new Date(7).toISOString(),
    };
    const { handle, writer, frames, world } = setUp({ first });
    await handle(send(1, { retry: true }));
    expect(JSON.parse(frames[0]!)).toMatchObject({ type: 'sent', position: '5' });
    world.first = { ...first, contentHash: 'x'.repeat(22) };
    await handle(send(1, { retry: true }));
    expect(JSON.parse(frames[1]!)).toMatchObject({ code: 'message_id_conflict' });
    expect(writer.appends).toEqual([]);
  });

  it.each<[string, boolean, string]>([
    ['is answered when it was appended before', true, '01 sent'],
    ['is refused when it was not', false, '01 blocked'],
  ])('of a blocked user %s', async (_what, appended, answer) => {
    const first = {
      position: '5',
      senderId: fakeConnection().connection.userId,
      contentHash: contentHashOf(send(1).content),
      sentAt: new Date(7).toISOString(),
    };
    const world = { known: false, membership: 'blocked', first: appended ? first : null } as const;
    const { handle, writer, answers, connection } = setUp(world);
    await handle(send(1, { retry: true }));
    expect(answers()).toEqual([answer]);
    expect(writer.appends).toEqual([]);
    expect(connection.unanswered).toBe(0);
  });

  it('joins one that is on its way here, without asking', async () => {
    const { handle, writer, answers, lookups } = setUp();
    await handle(send(1));
    await handle(send(1, { retry: true }));
    writer.flush();
    expect(answers()).toEqual(['01 sent', '01 sent']);
    expect(writer.appends).toHaveLength(1);
    expect(lookups).toEqual([]);
  });
});

describe('the end of its life', () => {
  const image = { kind: 'image', mediaId: TO } as const;
  it.each<[string, Partial<World>, SendFrame]>([
    ['the common send', {}, send(1)],
    ['a send that memory cannot admit', { known: false }, send(1)],
    ['a send that may have come before', {}, send(1, { retry: true })],
    ['the same when memory cannot admit it', { known: false }, send(1, { retry: true })],
    ['a send to a user', {}, send(1, { to: TO })],
    ['an image', {}, send(1, { content: image })],
  ])('is in the record of %s', async (_, world, frame) => {
    const { handle, writer } = setUp({ ...world, ttlSeconds: 10 });
    await handle(frame);
    const value = JSON.parse(writer.appends[0]!.record.value as string) as Record<string, unknown>;
    expect(value['expiresAt']).toBe(new Date(NOW + 10_000).toISOString());
  });

  it('is that of the time at which an image can go to the log', async () => {
    const { handle, writer, world } = setUp({ ttlSeconds: null });
    const handled = handle(send(1, { content: image }));
    world.ttlSeconds = 10;
    await handled;
    expect(String(writer.appends[0]!.record.value)).toContain('"expiresAt"');
  });
});

describe('a send that is held', () => {
  const hold = (writer: FakeWriter, n: number) =>
    (writer.appends[n]!.done as SendDone)({ ok: false, reason: 'held', partition: 0, sequence: n });

  it('is answered held, counts as answered, and is answered sent later', async () => {
    const { handle, answers, writer, connection, handler } = setUp({
      first: {
        position: '5',
        senderId: fakeConnection().connection.userId,
        contentHash: null,
        sentAt: new Date(7).toISOString(),
      },
    });
    await handle(send(1));
    hold(writer, 0);
    expect([answers(), connection.unanswered]).toEqual([['01 held'], 0]);
    await handle(send(1, { retry: true }));
    expect([answers(), connection.unanswered]).toEqual([['01 held', '01 held'], 0]);
    handler.parts.log.drained([
      { message: spooledMessage(writer.appends[0]!.record)!, offset: 0n },
    ]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(answers().slice(2)).toEqual(['01 sent', '01 sent']);
    expect(connection.unanswered).toBe(0);
  });

  it('spool_full sticks to its conversation', () => {
    const { handle, answers, writer } = setUp();
    void handle(send(1));
    (writer.appends[0]!.done as SendDone)({ ok: false, reason: 'full' });
    void handle(send(2));
    expect(answers()).toEqual(['01 spool_full', '02 spool_full']);
  });
});

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

  it('rate_limited with the time to wait', () => {
    const { handle, frames } = setUp({}, { sends: { perSecond: 4, burst: 1 } });
    void handle(send(1));
    void handle(send(2, { conversationId: 'd' }));
    expect(JSON.parse(frames[0]!)).toMatchObject({
      code: 'rate_limited',
      retryable: true,
      retryAfterMs: 250,
      ref: messageId(2),
    });
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

describe('a send that shows an upload', () => {
  const image = { kind: 'image', mediaId: TO, caption: 'look' } as const;

  it('is appended with what storage knows of it', async () => {
    const { handle, writer, answers } = setUp();
    await handle(send(1, { content: image }));
    writer.flush();
    expect(answers()).toEqual(['01 sent']);
    const { content } = JSON.parse(String(writer.appends[0]!.record.value)) as Record<
      string,
      unknown
    >;
    expect(content).toEqual({ ...image, type: 'image/png', size: 7, width: 3, height: 2 });
  });

  it.each(['media_not_found', 'unavailable'] as const)('is refused with %s', async (media) => {
    const { handle, writer, answers, connection } = setUp({ media });
    await handle(send(1, { content: image }));
    expect([answers(), writer.appends]).toEqual([[`01 ${media}`], []]);
    expect(connection.unanswered).toBe(0);
  });

  it.each([
    ['is unknown here', send(1, { content: image })],
    ['may have been sent before', send(1, { content: image, retry: true })],
  ])('takes no upload of who is blocked, when it %s', async (_, frame) => {
    const { handle, writer, answers, completed } = setUp({ known: false, membership: 'blocked' });
    await handle(frame);
    expect([answers(), writer.appends, completed]).toEqual([['01 blocked'], [], []]);
  });

  it('is answered by what its id was first, without a look at the upload', async () => {
    const senderId = fakeConnection().connection.userId;
    const contentHash = contentHashOf(image);
    const first = { position: '9', sentAt: new Date(NOW).toISOString(), senderId };
    const { handle, writer, answers, completed } = setUp({
      ...{ known: false, membership: 'blocked', first: { ...first, contentHash } },
    });
    await handle(send(1, { content: image, retry: true }));
    expect([answers(), writer.appends, completed]).toEqual([['01 sent'], [], []]);
  });

  it('joins the same id that came by another way meanwhile', async () => {
    const { handle, writer, answers } = setUp();
    await Promise.all([handle(send(1, { content: image })), handle(send(1, { content: image }))]);
    writer.flush();
    expect([answers(), writer.appends.length]).toEqual([['01 sent', '01 sent'], 1]);
  });
});

describe('a send to a user', () => {
  it('goes to the direct conversation, which is asked for once', async () => {
    const { handle, writer, frames } = setUp();
    await handle(send(1, { to: TO }));
    expect(handle(send(2, { to: TO }))).toBeUndefined();
    writer.flush();
    expect(frames.map((f) => (JSON.parse(f) as { conversationId: string }).conversationId)).toEqual(
      ['d', 'd'],
    );
  });

  it('sticks to the user while the conversation is not known', async () => {
    const { handle, answers, world, writer } = setUp({ direct: 'unavailable' });
    await handle(send(1, { to: TO }));
    world.direct = 'd';
    await handle(send(2, { to: TO }));
    await handle(send(1, { to: TO }));
    await handle(send(2, { to: TO }));
    writer.flush();
    expect(answers()).toEqual(['01 unavailable', '02 unavailable', '01 sent', '02 sent']);
  });

  it('is refused for good when there is no such user', async () => {
    const { handle, answers } = setUp({ direct: 'not_found' });
    await handle(send(1, { to: TO }));
    await handle(send(2, { to: TO }));
    expect(answers()).toEqual(['01 not_found', '02 not_found']);
  });
});

describe('prepare', () => {
  it.each([
    { name: 'a retry', frame: send(1, { retry: true }), asks: 1 },
    { name: 'a fresh id', frame: send(1), asks: 0 },
    { name: 'a retry to a user', frame: send(1, { to: TO, retry: true }), asks: 0 },
  ])('asks storage early for $name: $asks', ({ frame, asks }) => {
    const { handler, lookups } = setUp();
    const prepared = handler.prepare(frame);
    expect(lookups).toHaveLength(asks);
    expect(prepared.first !== null).toBe(asks === 1);
  });
});
