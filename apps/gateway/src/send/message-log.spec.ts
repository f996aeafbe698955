import { TidingsError } from '@tidings/protocol/errors';
import type { FirstAppend } from '@tidings/common/rpc/calls';
import { FakeWriter } from '../testing/fake-writer';
import { HeldMessages } from './held-messages';
import type { SendDone } from '../spool/spool-lane';
import { LogPositions } from './log-positions';
import { QueueShares } from './queue-shares';
import { MessageLog, type CompleteMessage, type SendReply } from './message-log';

const SENDER = '01890a5d-ac96-774b-bcce-000000000001';
const OTHER = '01890a5d-ac96-774b-bcce-000000000002';
const MESSAGE: CompleteMessage = {
  conversationId: 'c',
  messageId: '01890a5d-ac96-774b-bcce-b302099a8057',
  senderId: SENDER,
  deviceId: 'device',
  content: { kind: 'text', text: 'x' },
  extras: null,
  contentHash: 'hash',
};
const ONCE = { again: false, confirmMs: 100, ttlSeconds: null };
const AGAIN = { ...ONCE, again: true };
const settle = () => new Promise((resolve) => setImmediate(resolve));

function recorder(log: string[]): SendReply {
  return {
    logged: () => log.push('logged'),
    held: () => log.push('held'),
    sent: ({ position, sentAtMs, expiresAtMs }) => {
      const end = expiresAtMs === null ? '' : ` until ${expiresAtMs}`;
      log.push(`sent ${position} ${sentAtMs}${end}`);
    },
    refused: (error) => log.push(error.code),
    unknown: () => log.push('unknown'),
  };
}

function setUp(first: FirstAppend | null = null) {
  const writer = new FakeWriter();
  const now = { ms: 5 };
  const asked: string[] = [];
  const defects: unknown[] = [];
  const held = new HeldMessages(1_000);
  const shares = new QueueShares({ records: 3, bytes: 2_000 });
  const log = new MessageLog({
    writer,
    held,
    shares,
    positions: LogPositions.of({ epoch: 1, bases: [1000n] }),
    firsts: {
      confirm: (_conversationId, messageId, after) => {
        asked.push(`${messageId} after ${after}`);
        return Promise.resolve(first);
      },
    },
    failed: (error) => defects.push(error),
    clock: () => 0,
    wallClock: () => now.ms,
  });
  const outcomes: string[] = [];
  return { writer, held, shares, log, asked, defects, now, outcomes, reply: recorder(outcomes) };
}

function firstAppend(over: Partial<FirstAppend> = {}): FirstAppend {
  return {
    position: '7',
    senderId: SENDER,
    contentHash: 'hash',
    sentAt: new Date(3).toISOString(),
    expiresAt: null,
    ...over,
  };
}

describe('MessageLog', () => {
  it('answers a first append with base + offset at once', () => {
    const { log, writer, outcomes, reply, asked } = setUp();
    expect(log.append(MESSAGE, reply, ONCE)).toBe(true);
    expect(outcomes).toEqual([]);
    writer.flush();
    expect(outcomes).toEqual(['sent 1000 5']);
    expect(asked).toEqual([]);
  });

  describe('the share of one sender', () => {
    const message = (n: number, over: Partial<CompleteMessage> = {}): CompleteMessage => {
      return { ...MESSAGE, messageId: MESSAGE.messageId.slice(0, -1) + String(n), ...over };
    };
    const long = { content: { kind: 'text' as const, text: 'x'.repeat(1_500) } };

    it('bounds their records in the queue, and nobody else', () => {
      const { log, writer, outcomes, reply } = setUp();
      for (const n of [1, 2, 3]) expect(log.append(message(n), reply, ONCE)).toBe(true);
      expect(log.append(message(4), reply, ONCE)).toBe(false);
      expect(log.append(message(5, { senderId: OTHER }), reply, ONCE)).toBe(true);
      writer.flush();
      expect(outcomes).toHaveLength(4);
      expect(log.append(message(4), reply, ONCE)).toBe(true);
    });

    it('bounds their bytes in the queue, and nobody else', () => {
      const { log, writer, reply } = setUp();
      expect(log.append(message(1, long), reply, ONCE)).toBe(true);
      expect(log.append(message(2, long), reply, ONCE)).toBe(false);
      expect(log.append(message(3, { ...long, senderId: OTHER }), reply, ONCE)).toBe(true);
      writer.flush();
      expect(log.append(message(2, long), reply, ONCE)).toBe(true);
    });

    it('is given back whatever becomes of a record', () => {
      const { log, writer, shares, reply } = setUp();
      const HELD = { ok: false as const, reason: 'held' as const };
      for (const result of [
        { ...HELD, partition: 0, sequence: 1, bytes: 10 },
        { ok: false as const, reason: 'too_large' as const },
        { ok: false as const, reason: 'stopped' as const },
      ]) {
        log.append(message(1), reply, ONCE);
        expect(shares.size).toBe(1);
        (writer.appends.pop()!.done as SendDone)(result);
        expect(shares.size).toBe(0);
      }
      writer.full = true;
      expect(log.append(message(1), reply, ONCE)).toBe(false);
      expect(shares.size).toBe(0);
    });
  });

  it.each([
    { ttlSeconds: null, expiresAt: undefined },
    { ttlSeconds: 10, expiresAt: new Date(10_005).toISOString() },
  ])('stamps the end of its life: $ttlSeconds s', ({ ttlSeconds, expiresAt }) => {
    const { log, writer, reply } = setUp();
    log.append(MESSAGE, reply, { ...ONCE, ttlSeconds });
    const value = JSON.parse(writer.appends[0]!.record.value as string) as Record<string, unknown>;
    expect([value['sentAt'], value['expiresAt']]).toEqual([new Date(5).toISOString(), expiresAt]);
  });

  it.each([
    { when: 'while it lives', ms: 10_004, other: 'message_id_conflict' },
    { when: 'when it has expired', ms: 10_005, other: 'sent 1000 5 until 10005' },
  ])('$when, other content under its id: $other', ({ ms, other }) => {
    const { log, writer, now, outcomes, reply } = setUp();
    log.append(MESSAGE, reply, { ...ONCE, ttlSeconds: 10 });
    writer.flush();
    now.ms = ms;
    log.join(MESSAGE, reply);
    log.join({ ...MESSAGE, contentHash: 'other' }, reply);
    log.join({ ...MESSAGE, senderId: MESSAGE.messageId }, reply);
    const sent = 'sent 1000 5 until 10005';
    expect(outcomes).toEqual([sent, sent, other, 'message_id_conflict']);
  });

  it('answers a second send of the id from the first, before and after its append', () => {
    const { log, writer, outcomes, reply } = setUp();
    log.append(MESSAGE, reply, ONCE);
    expect(log.join(MESSAGE, reply)).toBe(true);
    writer.flush();
    expect(log.join(MESSAGE, reply)).toBe(true);
    expect(outcomes).toEqual(['sent 1000 5', 'sent 1000 5', 'sent 1000 5']);
    expect(writer.appends).toHaveLength(1);
  });

  it.each([
    { name: 'another sender', over: { senderId: OTHER } },
    { name: 'other content', over: { contentHash: 'other' } },
  ])('refuses the same id with $name', ({ over }) => {
    const { log, writer, outcomes, reply } = setUp();
    log.append(MESSAGE, recorder([]), ONCE);
    log.join({ ...MESSAGE, ...over }, reply);
    writer.flush();
    log.join({ ...MESSAGE, ...over }, reply);
    expect(outcomes).toEqual(['message_id_conflict', 'message_id_conflict']);
  });

  it('knows nothing of the id in another conversation', () => {
    const { log, reply } = setUp();
    log.append(MESSAGE, reply, ONCE);
    expect(log.join({ ...MESSAGE, conversationId: 'd' }, reply)).toBe(false);
  });

  it.each([
    { name: 'marked by the sender', options: AGAIN, unknown: false },
    { name: 'whose outcome was unknown', options: ONCE, unknown: true },
  ])('asks storage for an append $name, and answers the first position', async (a) => {
    const first = firstAppend({ expiresAt: new Date(9).toISOString() });
    const { log, writer, outcomes, reply, asked } = setUp(first);
    log.append(MESSAGE, reply, a.options);
    log.join(MESSAGE, reply);
    writer.flush({ unknown: a.unknown });
    expect(outcomes).toEqual(['logged']);
    await settle();
    expect(asked).toEqual([`${MESSAGE.messageId} after 0`]);
    expect(outcomes).toEqual(['logged', 'sent 7 3 until 9', 'sent 7 3 until 9']);
    log.join(MESSAGE, reply);
    expect(outcomes.at(-1)).toBe('sent 7 3 until 9');
  });

  it('refuses when storage knows the id from elsewhere', async () => {
    const { log, writer, outcomes, reply } = setUp(firstAppend({ contentHash: 'other' }));
    log.append(MESSAGE, reply, AGAIN);
    writer.flush();
    await settle();
    expect(outcomes).toEqual(['logged', 'message_id_conflict']);
    expect(log.join(MESSAGE, reply)).toBe(false);
  });

  it('takes a tombstone without hash for the same message of the same sender only', async () => {
    const same = setUp(firstAppend({ contentHash: null }));
    same.log.append(MESSAGE, same.reply, AGAIN);
    same.writer.flush();
    await settle();
    expect(same.outcomes.at(-1)).toBe('sent 7 3');
    const other = setUp(firstAppend({ contentHash: null, senderId: OTHER }));
    other.log.append(MESSAGE, other.reply, AGAIN);
    other.writer.flush();
    await settle();
    expect(other.outcomes.at(-1)).toBe('message_id_conflict');
  });

  it('stays silent while storage cannot tell, and then judges the id anew', async () => {
    const { log, writer, outcomes, reply } = setUp(null);
    log.append(MESSAGE, reply, AGAIN);
    writer.flush();
    await settle();
    expect(outcomes).toEqual(['logged', 'unknown']);
    expect(log.join(MESSAGE, reply)).toBe(false);
  });

  it('takes nothing when the queue is full, and forgets the id', () => {
    const { log, writer, outcomes, reply } = setUp();
    writer.full = true;
    expect(log.append(MESSAGE, reply, ONCE)).toBe(false);
    expect(log.join(MESSAGE, reply)).toBe(false);
    expect(outcomes).toEqual([]);
  });

  it.each([
    { reason: 'stopped' as const, code: 'unavailable' },
    { reason: 'too_large' as const, code: 'payload_too_large' },
  ])('answers $code to all when the writer says $reason', ({ reason, code }) => {
    const { log, writer, outcomes, reply } = setUp();
    log.append(MESSAGE, reply, ONCE);
    log.join(MESSAGE, reply);
    writer.fail(reason);
    expect(outcomes).toEqual([code, code]);
    expect(log.join(MESSAGE, reply)).toBe(false);
  });

  describe('with the log away', () => {
    const message = {
      conversationId: 'c',
      messageId: MESSAGE.messageId,
      senderId: SENDER,
      deviceId: 'device',
      contentHash: 'hash',
      sentAtMs: 5,
      expiresAtMs: null,
    };

    /** The message is on the disk; a second send has joined it. */
    function held(first: FirstAppend | null = firstAppend()) {
      const world = setUp(first);
      world.log.append(MESSAGE, world.reply, ONCE);
      world.log.join(MESSAGE, world.reply);
      const { done } = world.writer.appends[0]!;
      (done as SendDone)({ ok: false, reason: 'held', partition: 0, sequence: 3, bytes: 990 });
      return world;
    }

    it('says held to all who sent it, also later, and appends nothing more', () => {
      const { log, outcomes, reply, writer } = held();
      expect(log.join(MESSAGE, reply)).toBe(true);
      expect(outcomes).toEqual(['held', 'held', 'held']);
      expect(writer.appends).toHaveLength(1);
    });

    it('refuses what is more than the share of the sender, and only theirs', () => {
      const { log, reply, outcomes, writer } = held();
      const more = { ...MESSAGE, messageId: '01890a5d-ac96-774b-bcce-b302099a8059' };
      // the log takes this partition's records
      expect(log.append(more, reply, ONCE)).toBe(true);
      expect([outcomes.slice(2), writer.appends.length]).toEqual([[], 2]);
      writer.isHolding = () => true;
      const again = { ...MESSAGE, messageId: '01890a5d-ac96-774b-bcce-b302099a8060' };
      expect(log.append(again, reply, ONCE)).toBe(true);
      expect([outcomes.slice(2), writer.appends.length]).toEqual([['spool_full'], 2]);
      expect(log.append({ ...again, senderId: OTHER }, reply, ONCE)).toBe(true);
      expect(writer.appends).toHaveLength(3);
    });

    it('says sent to all when it has drained, as storage knows it', async () => {
      const { log, outcomes, reply, asked, held: index } = held();
      log.drained([{ message, offset: 9n }]);
      log.join(MESSAGE, reply);
      await settle();
      expect(asked).toEqual([`${MESSAGE.messageId} after 9`]);
      expect(outcomes.slice(2)).toEqual(['sent 7 3', 'sent 7 3', 'sent 7 3']);
      log.join(MESSAGE, reply);
      expect([outcomes.at(-1), index.size]).toEqual(['sent 7 3', 0]);
    });

    it('asks about the last of many first', async () => {
      const { log, asked } = held();
      const other = { ...MESSAGE, messageId: '01890a5d-ac96-774b-bcce-b302099a8058' };
      const index = { senderId: SENDER, contentHash: 'hash', partition: 0, sequence: 4, bytes: 9 };
      log['parts'].held.add('c', other.messageId, { ...index, waiters: [recorder([])] });
      const second = { ...message, messageId: other.messageId };
      log.drained([
        { message, offset: 9n },
        { message: second, offset: 10n },
      ]);
      expect(asked).toEqual([`${other.messageId} after 10`]);
      await settle();
      expect(asked).toHaveLength(2);
    });

    it.each([
      { contentHash: null, said: 'content_expired', when: 'nothing of it lives' },
      { contentHash: 'hash', said: 'sent 7 3', when: 'another gateway has sent it, and it lives' },
    ])('says $said of an append of its place only, when $when', async ({ contentHash, said }) => {
      const { log, outcomes } = held(firstAppend({ contentHash }));
      log.drained([{ message, offset: 9n, placeOnly: true }]);
      await settle();
      expect(outcomes.slice(2)).toEqual([said, said]);
    });

    it('asks nobody when no sender is here', async () => {
      const { log, asked } = setUp();
      log.drained([{ message, offset: 9n }]);
      await settle();
      expect(asked).toEqual([]);
    });

    it.each([
      { outcome: firstAppend(), said: 'sent 7 3' },
      { outcome: firstAppend({ senderId: OTHER }), said: 'message_id_conflict' },
      { outcome: new TidingsError('no_such_conversation'), said: 'no_such_conversation' },
    ])('says $said when that is what came out', ({ outcome, said }) => {
      const { log, outcomes, reply } = held();
      log.notDrained(message, outcome);
      expect(outcomes.slice(2)).toEqual([said, said]);
      expect(log.join(MESSAGE, reply)).toBe(false);
    });

    it.each([
      { reason: 'full' as const, code: 'spool_full' },
      { reason: 'not_stored' as const, code: 'unavailable' },
    ])('says $code when it could not be held', ({ reason, code }) => {
      const { log, writer, outcomes, reply } = setUp();
      log.append(MESSAGE, reply, ONCE);
      (writer.appends[0]!.done as SendDone)({ ok: false, reason });
      expect(outcomes).toEqual([code]);
      expect(log.join(MESSAGE, reply)).toBe(false);
    });
  });
});
