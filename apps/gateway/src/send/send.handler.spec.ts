import type { SendFrame } from '@tidings/protocol/frames';
import { fakeConnection } from '../testing/fake-connection';
import type { FakeWriter } from '../testing/fake-writer';
import { messageId, NOW, send, setUp, TO, type World } from '../testing/send-rig';
import type { SendDone } from '../spool/spool-lane';
import { spooledMessage } from '../spool/spooled-message';
import { contentHashOf } from '@tidings/common/log-records/message-record';

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
      expiresAt: null,
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
      expiresAt: null,
    };
    const world = { known: false, membership: 'blocked', first: appended ? first : null } as const;
    const { handle, writer, answers, connection } = setUp(world);
    await handle(send(1, { retry: true }));
    expect(answers()).toEqual([answer]);
    expect(writer.appends).toEqual([]);
    expect(connection.unanswered).toBe(0);
  });

  it('joins one that is on its way here when storage has none', async () => {
    const { handle, writer, answers } = setUp();
    await handle(send(1));
    await handle(send(1, { retry: true }));
    writer.flush();
    expect(answers()).toEqual(['01 sent', '01 sent']);
    expect(writer.appends).toHaveLength(1);
  });

  it('has the position that storage knows, also when a later copy was appended here', async () => {
    const { handle, writer, frames, world } = setUp();
    for (const n of [2, 1]) await handle(send(n));
    writer.flush();
    await handle(send(1, { retry: true }));
    // meanwhile storage has applied what another gateway had appended before
    world.first = {
      position: '0',
      senderId: fakeConnection().connection.userId,
      contentHash: contentHashOf(send(1).content),
      sentAt: new Date(7).toISOString(),
      expiresAt: null,
    };
    await handle(send(1, { retry: true }));
    const positions = frames.map((frame) => (JSON.parse(frame) as { position: string }).position);
    expect(positions.slice(1)).toEqual(['1', '1', '0']);
    expect(writer.appends).toHaveLength(2);
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
    (writer.appends[n]!.done as SendDone)({
      ok: false,
      reason: 'held',
      partition: 0,
      sequence: n,
      bytes: 9,
    });

  it('is answered held, counts as answered, and is answered sent later', async () => {
    const { handle, answers, writer, connection, handler, world } = setUp();
    await handle(send(1));
    hold(writer, 0);
    expect([answers(), connection.unanswered]).toEqual([['01 held'], 0]);
    await handle(send(1, { retry: true }));
    expect([answers(), connection.unanswered]).toEqual([['01 held', '01 held'], 0]);
    world.first = {
      position: '5',
      senderId: connection.userId,
      contentHash: null,
      sentAt: new Date(7).toISOString(),
      expiresAt: null,
    };
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
