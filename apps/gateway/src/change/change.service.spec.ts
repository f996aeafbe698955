import type { Message } from '@tidings/protocol/content';
import { TidingsError } from '@tidings/protocol/errors';
import { EVENT_TYPES, messageChanged } from '@tidings/common/log-events/events';
import type { ChangeTarget } from '@tidings/common/rpc/calls';
import type { ChangeRequest } from '@tidings/common/log-records/change-record';
import { FakeWriter } from '../testing/fake-writer';
import { changeHashOf } from '@tidings/common/log-records/change-record';
import { ChangeService } from './change.service';

const id = (n: number): string => `01890a5d-ac96-774b-bcce-${String(n).padStart(12, '0')}`;
const MESSAGE: Message = {
  conversationId: 'c',
  position: '5',
  messageId: id(1),
  senderId: id(2),
  content: { kind: 'text', text: 'old' },
  sentAt: '2026-01-02T03:04:05.678Z',
  version: '0',
  expiresAt: '2027-01-02T03:04:05.678Z',
  replyTo: id(9),
  meta: { a: 1 },
};
const EDIT: ChangeRequest = {
  conversationId: 'c',
  messageId: id(1),
  changeId: id(3),
  userId: id(2),
  deviceId: id(4),
  content: { kind: 'text', text: 'new' },
};
const DELETE = { ...EDIT, content: null };
const FOUND: ChangeTarget = {
  message: MESSAGE,
  visible: true,
  role: 'member',
  change: null,
  previous: null,
  applied: true,
};
const NOTHING = { ...FOUND, message: null, visible: false };
/** To somebody who is no member. */
const OUTSIDE = { ...NOTHING, role: null };
const DELETED: Message = { ...MESSAGE, content: { kind: 'deleted' }, deleted: true, version: '20' };

/** What storage knows when the change is in the log at 20. */
const logged = (request: ChangeRequest, more: Partial<ChangeTarget> = {}): ChangeTarget => ({
  ...FOUND,
  change: {
    position: '20',
    messageId: request.messageId,
    userId: request.userId,
    hash: changeHashOf(request),
  },
  previous: '7',
  ...more,
});

type Reply = ChangeTarget | 'unavailable' | 'no_such_conversation';

/** A service whose storage gives these replies, the last one for ever. */
function setUp(...replies: Reply[]) {
  const writer = new FakeWriter();
  const calls: { next?: string }[] = [];
  let now = 0;
  const service = new ChangeService({
    membership: { maySend: () => true, requireSender: () => Promise.resolve({ ttlSeconds: null }) },
    storage: {
      call: ((_name: string, input: { next?: string }) => {
        calls.push(input);
        const reply = replies.length > 1 ? replies.shift()! : replies[0]!;
        if (typeof reply === 'string') return Promise.reject(new TidingsError(reply));
        return Promise.resolve(reply);
      }) as never,
    },
    barrier: { take: () => Promise.resolve(['41']) },
    writer,
    clock: () => (now += 500),
    wallClock: () => 0,
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const run = async (request: ChangeRequest) => {
    const outcome = service.change(request).catch((error: TidingsError) => error.code);
    await settle();
    writer.flush();
    return outcome;
  };
  return { run, writer, calls };
}

describe('ChangeService', () => {
  it('appends the message as it is afterwards, and answers what storage then says', async () => {
    const edited = { ...MESSAGE, content: EDIT.content!, version: '20' };
    const { run, writer, calls } = setUp(FOUND, logged(EDIT, { message: edited }));
    const answer = await run(EDIT);
    expect(answer).toEqual({ ...edited, type: 'changed', changeId: id(3), previous: '7' });
    const { record } = writer.appends[0]!;
    expect(record).toMatchObject({ key: 'c', id: id(3), type: EVENT_TYPES.messageChanged });
    const { conversationId, messageId, position, senderId, sentAt, expiresAt, replyTo, meta } =
      MESSAGE;
    expect(messageChanged.parse(JSON.parse(record.value as string))).toEqual({
      conversationId,
      messageId,
      position,
      senderId,
      sentAt,
      expiresAt,
      replyTo,
      meta,
      changeId: id(3),
      userId: id(2),
      deviceId: id(4),
      changeHash: changeHashOf(EDIT),
      content: EDIT.content,
    });
    expect(calls.map((c) => c.next)).toEqual([undefined, '1']);
  });

  it('a deletion carries nothing of the content', async () => {
    const { run, writer } = setUp(FOUND, logged(DELETE, { message: DELETED }));
    expect(await run(DELETE)).toMatchObject({ deleted: true, content: { kind: 'deleted' } });
    const value = JSON.parse(writer.appends[0]!.record.value as string) as object;
    expect(value).toMatchObject({ content: { kind: 'deleted' } });
    expect(value).not.toHaveProperty('meta');
    expect(value).not.toHaveProperty('replyTo');
  });

  it('answers an id that was seen with its first version, and appends nothing', async () => {
    const later = { ...MESSAGE, content: { kind: 'text', text: 'later' } as const, version: '30' };
    const { run, writer } = setUp(logged(EDIT, { message: later }));
    expect(await run(EDIT)).toMatchObject({ content: EDIT.content, version: '20', previous: '7' });
    expect(writer.appends).toEqual([]);
  });

  it('never shows again what was deleted since', async () => {
    const { run } = setUp(logged(EDIT, { message: DELETED }));
    expect(await run(EDIT)).toMatchObject({ content: { kind: 'deleted' }, version: '20' });
  });

  it.each<[string, Reply[], ChangeRequest, string, (string | undefined)[]]>([
    ['an outsider', [OUTSIDE], EDIT, 'no_such_conversation', [undefined, '41']],
    [
      'an outsider, and storage behind the barrier',
      [OUTSIDE, { ...OUTSIDE, applied: false }],
      EDIT,
      'unavailable',
      [undefined, '41'],
    ],
    ['no message, also behind the barrier', [NOTHING], EDIT, 'not_found', [undefined, '41']],
    [
      'no message, and storage behind the barrier',
      [NOTHING, { ...NOTHING, applied: false }],
      EDIT,
      'unavailable',
      [undefined, '41'],
    ],
    ['storage away', ['unavailable'], EDIT, 'unavailable', [undefined]],
    ['a foreign message', [FOUND], { ...EDIT, userId: id(8) }, 'not_allowed', [undefined]],
    ['a deleted message', [{ ...FOUND, message: DELETED }], EDIT, 'not_found', [undefined]],
    [
      'an id of somebody else',
      [logged({ ...EDIT, userId: id(8) })],
      EDIT,
      'message_id_conflict',
      [undefined],
    ],
    [
      'an id of another message',
      [logged({ ...EDIT, messageId: id(8) })],
      EDIT,
      'message_id_conflict',
      [undefined],
    ],
    ['an id of another content', [logged(DELETE)], EDIT, 'message_id_conflict', [undefined]],
    [
      'an id taken between look-up and append',
      [FOUND, logged({ ...EDIT, content: { kind: 'text', text: 'other' } })],
      EDIT,
      'message_id_conflict',
      [undefined, '1'],
    ],
  ])('%s', async (_what, replies, request, code, asked) => {
    const { run, calls } = setUp(...replies);
    expect(await run(request)).toBe(code);
    expect(calls.map((c) => c.next)).toEqual(asked);
  });

  it('finds a message that came into the log just now', async () => {
    const { run, calls } = setUp(NOTHING, FOUND, logged(EDIT));
    expect(await run(EDIT)).toMatchObject({ version: '20' });
    expect(calls.map((c) => c.next)).toEqual([undefined, '41', '1']);
  });

  it.each<[string, ChangeRequest, Partial<Message>]>([
    ['an edit', EDIT, { content: EDIT.content! }],
    ['a deletion', DELETE, { content: { kind: 'deleted' }, deleted: true }],
  ])(
    '%s by somebody who has left since is answered with what they sent',
    async (_what, request, sent) => {
      const { conversationId, messageId, senderId, position, sentAt, expiresAt } = MESSAGE;
      const place = { conversationId, messageId, senderId, position, sentAt, expiresAt };
      const bare: Message = {
        ...place,
        version: '20',
        content: { kind: 'deleted' },
        deleted: true,
      };
      const left = { message: bare, visible: false, role: null, previous: null };
      const late = { ...OUTSIDE, applied: false };
      const { run, writer, calls } = setUp(FOUND, late, logged(request, left));
      const answer = await run(request);
      const about = { type: 'changed', changeId: id(3), previous: null, hidden: true };
      expect(answer).toEqual({ ...place, version: '20', ...sent, ...about });
      expect(writer.appends).toHaveLength(1);
      expect(calls.map((c) => c.next)).toEqual([undefined, '1', '1']);
      const again = setUp(OUTSIDE, logged(request, left));
      expect(await again.run(request)).toEqual(answer);
      expect(again.writer.appends).toEqual([]);
      // under the same id something else: it is as if nothing were there
      const other = logged({ ...request, messageId: id(8) }, left);
      for (const wrong of [
        other,
        { ...other, change: { ...logged(request).change!, hash: 'x' } },
      ]) {
        expect(await setUp(OUTSIDE, wrong).run(request)).toBe('no_such_conversation');
      }
    },
  );

  it('says nothing when storage cannot tell what became of it', async () => {
    const { run } = setUp(FOUND, { ...FOUND, applied: false }, 'unavailable');
    expect(await run(EDIT)).toBeNull();
  });

  it('is busy when the log is, and unavailable when it stops', async () => {
    const one = setUp(FOUND);
    one.writer.full = true;
    expect(await one.run(EDIT)).toBe('busy');
    const two = setUp(FOUND);
    two.writer.flush = () => two.writer.fail('stopped');
    expect(await two.run(EDIT)).toBe('unavailable');
  });
});
