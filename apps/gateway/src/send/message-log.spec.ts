import type { FirstAppend } from '@tidings/common/contracts/internal';
import { FakeWriter } from '../testing/fake-writer';
import { LogPositions } from './log-positions';
import { MessageLog, type CompleteMessage, type SendReply } from './message-log';

const MESSAGE: CompleteMessage = {
  conversationId: 'c',
  messageId: '01890a5d-ac96-774b-bcce-b302099a8057',
  senderId: 'sender',
  deviceId: 'device',
  content: { kind: 'text', text: 'x' },
  contentHash: 'hash',
};
const ONCE = { again: false, confirmMs: 100 };
const AGAIN = { again: true, confirmMs: 100 };
const settle = () => new Promise((resolve) => setImmediate(resolve));

function recorder(log: string[]): SendReply {
  return {
    logged: () => log.push('logged'),
    sent: (position, at) => log.push(`sent ${position} ${at}`),
    refused: (error) => log.push(error.code),
    unknown: () => log.push('unknown'),
  };
}

function setUp(first: FirstAppend | null = null) {
  const writer = new FakeWriter();
  const asked: string[] = [];
  const log = new MessageLog({
    writer,
    positions: LogPositions.of(1, ['1000']),
    firsts: {
      confirm: (_conversationId, messageId, after) => {
        asked.push(`${messageId} after ${after}`);
        return Promise.resolve(first);
      },
    },
    clock: () => 0,
    wallClock: () => 5,
  });
  const outcomes: string[] = [];
  return { writer, log, asked, outcomes, reply: recorder(outcomes) };
}

function firstAppend(over: Partial<FirstAppend> = {}): FirstAppend {
  return {
    position: '7',
    senderId: 'sender',
    contentHash: 'hash',
    sentAt: new Date(3).toISOString(),
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
    { name: 'another sender', over: { senderId: 'other' } },
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
    const { log, writer, outcomes, reply, asked } = setUp(firstAppend());
    log.append(MESSAGE, reply, a.options);
    log.join(MESSAGE, reply);
    writer.flush({ unknown: a.unknown });
    expect(outcomes).toEqual(['logged']);
    await settle();
    expect(asked).toEqual([`${MESSAGE.messageId} after 0`]);
    expect(outcomes).toEqual(['logged', 'sent 7 3', 'sent 7 3']);
    log.join(MESSAGE, reply);
    expect(outcomes.at(-1)).toBe('sent 7 3');
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
    const other = setUp(firstAppend({ contentHash: null, senderId: 'other' }));
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
});
