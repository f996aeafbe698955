import { EVENT_TYPES } from '@tidings/common/log-events/events';
import type { StoredTrace } from '@tidings/protocol/trace';
import { TOPICS } from '@tidings/common/log-events/topics';
import { LogWriter, type AppendResult } from '@tidings/common/kafka/writer/log-writer';
import { uuidv7 } from 'uuidv7';
import {
  codeOf,
  eventually,
  messageOf,
  newUser,
  PARTITIONS,
  type RunningStorage,
  StorageFixture,
  type TestUser,
} from './storage-support';

const PATIENT = { timeoutMs: 30_000 };

describe('storage: traces', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let receipts: LogWriter;
  let ann: TestUser;
  let bob: TestUser;
  let eve: TestUser;
  let id: string;

  const trace = (asking: TestUser, messageId: string, more: object = {}) =>
    one.rpc.call(
      'messages.trace',
      { userId: asking.id, conversationId: id, messageId, limit: 100, ...more },
      PATIENT,
    );
  const traced = (asking: TestUser, messageId: string, more: object = {}): Promise<StoredTrace> =>
    eventually(async () => {
      const { trace: found } = await trace(asking, messageId, more);
      expect(found).not.toBeNull();
      return found!;
    });
  const raise = (user: TestUser, marks: { delivered?: string; read?: string }): Promise<void> =>
    new Promise((resolve, reject) => {
      const value = { conversationId: id, userId: user.id, deviceId: uuidv7(), at: '', ...marks };
      const record = { key: id, type: EVENT_TYPES.receipt, id: uuidv7(), time: '' };
      const done = (result: AppendResult): void => (result.ok ? resolve() : reject(result));
      const text = JSON.stringify(value);
      if (!receipts.append({ ...record, value: text }, done)) reject(new Error('busy'));
    });
  const send = async (user: TestUser, extra: object = {}) => {
    const message = messageOf(id, user.id, 'hello', extra);
    const [position] = await fixture.append([message]);
    return { messageId: message.messageId, sentAt: message.sentAt, position: position! };
  };

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    one = await fixture.storage('storage-1');
    const common = { kafka: fixture.kafka, partitions: PARTITIONS, source: 'test', epoch: 1 };
    receipts = new LogWriter({ ...common, topic: TOPICS.receipts });
    await receipts.start();
  }, 240_000);

  afterAll(async () => {
    await receipts?.stop({ flushMs: 1_000 });
    await fixture?.stop();
  }, 60_000);

  beforeEach(async () => {
    [ann, bob, eve] = (await Promise.all([0, 1, 2].map(() => newUser(one.rpc)))) as [
      ...[TestUser, TestUser, TestUser],
    ];
    const input = { userId: ann.id, otherId: bob.id };
    id = (await one.rpc.call('conversations.direct', input, PATIENT)).conversation.id;
  }, 30_000);

  it('tell when a message was taken and stored, and whom it reached when', async () => {
    const before = Date.now();
    const { messageId, sentAt, position } = await send(ann);
    const first = await traced(ann, messageId);
    const nobody = { recipients: 1, delivered: [], read: [], expired: null, setAside: null };
    expect(first).toEqual({
      position,
      accepted: sentAt,
      stored: expect.any(String),
      ...nobody,
    });
    expect(Date.parse(first.stored!)).toBeGreaterThanOrEqual(before - 1_000);
    expect(Date.parse(first.stored!)).toBeLessThanOrEqual(Date.now() + 1_000);
    await raise(bob, { delivered: position });
    const { delivered } = await eventually(async () => {
      const found = await traced(ann, messageId);
      expect(found.delivered).toHaveLength(1);
      expect(found.read).toEqual([]);
      return found;
    });
    expect(delivered).toEqual([{ userId: bob.id, at: expect.any(String) }]);
    await raise(bob, { read: position });
    await eventually(async () => {
      const found = await traced(ann, messageId);
      expect(found.read).toEqual([{ userId: bob.id, at: expect.any(String) }]);
      // reading raised nothing of `delivered`: its time stands
      expect(found.delivered).toEqual(delivered);
      expect(found.read[0]!.at! >= delivered[0]!.at!).toBe(true);
    });
  });

  it('say of a mark that has gone on when it rose last', async () => {
    const first = await send(ann);
    const second = await send(ann);
    await raise(bob, { delivered: first.position });
    const early = await eventually(async () => {
      const { delivered } = await traced(ann, first.messageId);
      expect(delivered).toHaveLength(1);
      return delivered[0]!.at!;
    });
    await raise(bob, { delivered: second.position });
    await eventually(async () => {
      const { delivered } = await traced(ann, first.messageId);
      expect(delivered[0]!.at! > early).toBe(true);
      expect((await traced(ann, second.messageId)).delivered).toEqual(delivered);
    });
  });

  it('know no other message than an own one, and outsiders meet nothing', async () => {
    const { messageId } = await send(ann);
    await traced(ann, messageId);
    const nothing = { trace: null, applied: true };
    expect(await trace(bob, messageId)).toEqual(nothing);
    expect(await trace(ann, uuidv7())).toEqual(nothing);
    expect(await codeOf(trace(eve, messageId))).toBe('no_such_conversation');
    expect(await codeOf(trace(eve, uuidv7()))).toBe('no_such_conversation');
    expect(await codeOf(trace(ann, messageId, { cursor: 'zz' }))).toBe('invalid_request');
  });

  it('hide what was read when either side hides it', async () => {
    const { messageId, position } = await send(ann);
    await raise(bob, { read: position });
    const reads = async () => (await traced(ann, messageId)).read.length;
    await eventually(async () => expect(await reads()).toBe(1));
    for (const user of [bob, ann]) {
      const hide = (readReceipts: boolean) =>
        one.rpc.call('accounts.patch', { userId: user.id, privacy: { readReceipts } });
      await hide(false);
      expect(await reads()).toBe(0);
      expect((await traced(ann, messageId)).delivered).toHaveLength(1);
      await hide(true);
    }
    expect(await reads()).toBe(1);
  });

  it('go over those who see the message, part by part', async () => {
    const others = await Promise.all(Array.from({ length: 4 }, () => newUser(one.rpc)));
    const made = await one.rpc.call(
      'conversations.group',
      { userId: ann.id, requestId: 'r', title: 'Five', userIds: others.map((u) => u.id) },
      PATIENT,
    );
    id = made.conversation.id;
    const { messageId, position } = await send(ann);
    await traced(ann, messageId);
    const later = await newUser(one.rpc);
    const change = { userId: ann.id, conversationId: id };
    await one.rpc.call('members.add', { ...change, memberIds: [later.id] }, PATIENT);
    await one.rpc.call('members.remove', { ...change, memberId: others[0]!.id }, PATIENT);
    const left = others.slice(1);
    for (const user of [...others, later]) await raise(user, { delivered: position });
    const users: string[] = [];
    await eventually(async () => {
      users.splice(0);
      let cursor: string | undefined;
      do {
        const found: StoredTrace = await traced(ann, messageId, { limit: 2, cursor });
        expect(found.recipients).toBe(3);
        users.push(...found.delivered.map((mark) => mark.userId));
        cursor = found.cursor;
      } while (cursor !== undefined);
      expect(users).toEqual(left.map((u) => u.id).sort());
    });
  });

  it('show the end of a life, and wait for the log when asked to', async () => {
    const expiresAt = new Date(Date.now() - 1_000).toISOString();
    const { messageId, position } = await send(ann, { expiresAt });
    const next = String(BigInt(position));
    const { trace: found, applied } = await trace(ann, messageId, { next, waitMs: 2_000 });
    expect([found?.expired, applied]).toEqual([expiresAt, true]);
    const beyond = await trace(ann, uuidv7(), { next: String(10n ** 15n), waitMs: 50 });
    expect(beyond).toEqual({ trace: null, applied: false });
  });

  it('say of what was stored before such times were kept that they are not known', async () => {
    const { messageId, position } = await send(ann);
    await traced(ann, messageId);
    await raise(bob, { delivered: position });
    await eventually(async () => expect((await traced(ann, messageId)).delivered).toHaveLength(1));
    await fixture.rows('UPDATE messages SET stored_at = NULL WHERE message_id = $1', [messageId]);
    await fixture.rows('UPDATE members SET delivered_at = NULL WHERE conversation_id = $1', [id]);
    expect(await traced(ann, messageId)).toMatchObject({
      stored: null,
      delivered: [{ userId: bob.id, at: null }],
    });
  });
});
