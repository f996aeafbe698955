import { LetterMarks, type NewMark } from '@tidings/common/kafka/dead-letters/letter-marks';
import type { BookEntry } from '@tidings/common/kafka/dead-letters/letter-book';
import { EVENT_TYPES } from '@tidings/common/log-events/events';
import type { StoredTrace } from '@tidings/protocol/trace';
import { TOPICS } from '@tidings/common/log-events/topics';
import { LogWriter, type AppendResult } from '@tidings/common/kafka/writer/log-writer';
import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import { headerText, REPLAY_OF_HEADER } from '@tidings/common/log-events/dead-letter';
import { uuidv7 } from 'uuidv7';
import { DeadLetterShelf } from '../../tools/dlq/dead-letter-shelf';
import { Replay } from '../../tools/dlq/replay';
import { readTopic } from '../support/kafka-topic';
import { append, type Poison, setAside } from '../support/poison';
import { eventually } from '../support/eventually';
import {
  changeOf,
  codeOf,
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
  });

  beforeEach(async () => {
    [ann, bob, eve] = (await Promise.all([0, 1, 2].map(() => newUser(one.rpc)))) as [
      ...[TestUser, TestUser, TestUser],
    ];
    const input = { userId: ann.id, otherId: bob.id };
    id = (await one.rpc.call('conversations.direct', input, PATIENT)).conversation.id;
  });

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

  describe('of a message that was set aside', () => {
    let shelf: DeadLetterShelf;
    let marks: LetterMarks;

    beforeAll(() => {
      shelf = new DeadLetterShelf(fixture.kafka);
      marks = new LetterMarks(fixture.kafka);
    });
    afterAll(async () => {
      shelf.close();
      await marks.close();
    });

    const poisonOf = (value: { messageId: string }, type: string, eventId = value.messageId) =>
      ({ topic: TOPICS.messages, key: id, type, id: eventId, value }) satisfies Poison;
    /** Appends it where its conversation is not; gives how operators name it. */
    const misplace = (poison: Poison) =>
      append(fixture.kafka, poison, (partitionOf(id, PARTITIONS) + 1) % PARTITIONS);
    const letterOf = (name: string): Promise<BookEntry> =>
      eventually(async () => (await shelf.read()).find(name) ?? Promise.reject(new Error('none')));
    // nobody routes here
    const replay = (options: { now?: () => number; put?: LetterMarks['put'] } = {}) => {
      const { now, put = (entry, mark) => marks.put(entry, mark) } = options;
      const parts = {
        kafka: fixture.kafka,
        shelf,
        marks: { put },
        by: 'op@test',
        say: () => undefined,
      };
      return new Replay({ ...parts, now: now ?? laterNow, watchMs: 100 });
    };
    /** Session, which is not here, has forgotten all ids. */
    const laterNow = () => Date.now() + 200_000;
    const open = async (): Promise<number> => {
      const page = await one.metrics.registry.metrics();
      const gauge =
        /^tidings_dead_letters_open\{topic="chat.messages.v1.storage-writer.dlq".*\} (\d+)$/m;
      return Number(gauge.exec(page)?.[1]);
    };
    const copies = async (name: string): Promise<number> => {
      const records = (await readTopic(fixture.kafka, TOPICS.messages)).flat();
      const of = records.map(({ headers }) => headerText(headers, REPLAY_OF_HEADER));
      return of.filter((one) => one.startsWith(`${name}@`)).length;
    };

    it('say so to its sender alone, as an alert does, until it is replayed once', async () => {
      const message = messageOf(id, ann.id, 'lost?');
      const { messageId, sentAt } = message;
      const name = await misplace(poisonOf(message, EVENT_TYPES.messageSent));
      const found = await traced(ann, messageId);
      expect(found).toEqual({
        position: '0',
        accepted: expect.any(String),
        stored: null,
        expired: null,
        setAside: expect.any(String),
        recipients: 0,
        delivered: [],
        read: [],
      });
      expect((await trace(bob, messageId)).trace).toBeNull();
      expect(await codeOf(trace(eve, messageId))).toBe('no_such_conversation');
      await eventually(async () => expect(await open()).toBe(1));
      const entry = await letterOf(name);
      expect(entry.letters).toEqual([
        expect.objectContaining({ group: 'storage-writer', reason: 'in the wrong partition' }),
      ]);
      const first = await replay().run(entry, false);
      expect(first).toMatchObject({ ok: true, says: expect.stringContaining('session-routing') });
      const stored = await eventually(async () => {
        const now = await traced(ann, messageId);
        expect(now).toMatchObject({ accepted: sentAt, setAside: null, recipients: 1 });
        return now;
      });
      expect(BigInt(stored.position)).toBeGreaterThan(0n);
      await eventually(async () => expect(await open()).toBe(0));
      const second = await replay().run(await letterOf(name), false);
      expect(second).toMatchObject({ ok: true, says: expect.stringMatching(/^was replayed to /) });
      expect(await copies(name)).toBe(1);
    });

    it('have one copy when a replay was cut off before or behind its append', async () => {
      for (const cut of ['replaying', 'replayed'] as const) {
        const message = messageOf(id, ann.id, cut);
        const name = await misplace(poisonOf(message, EVENT_TYPES.messageSent));
        const put = async (entry: BookEntry, mark: NewMark): Promise<void> => {
          if (mark.mark === 'replaying') await marks.put(entry, mark);
          if (mark.mark === cut) throw new Error('cut off');
        };
        await expect(replay({ put }).run(await letterOf(name), false)).rejects.toThrow('cut off');
        await eventually(async () => expect((await letterOf(name)).marks).toHaveLength(1));
        const early = await replay({ now: () => Date.now() }).run(await letterOf(name), false);
        expect(early).toMatchObject({
          ok: false,
          says: expect.stringContaining('is being replayed by'),
        });
        expect(await replay().run(await letterOf(name), false)).toMatchObject({ ok: true });
        expect(await copies(name)).toBe(1);
        expect(await traced(ann, message.messageId)).toMatchObject({ setAside: null });
      }
    });

    it('are not undone by an edit that comes late, unless that is wanted', async () => {
      const message = messageOf(id, ann.id, 'first');
      const [position] = await fixture.append([message]);
      const late = changeOf(message, position!, 'late');
      const name = await misplace(poisonOf(late, EVENT_TYPES.messageChanged, late.changeId));
      const entry = await letterOf(name);
      await fixture.appendChanges([changeOf(message, position!, 'later')]);
      expect(await replay().run(entry, false)).toMatchObject({
        ok: false,
        says: expect.stringMatching(/^is an edit, and its message was changed again/),
      });
      expect(await copies(name)).toBe(0);
      expect(await replay().run(entry, true)).toMatchObject({ ok: true });
    });

    it('are replayed only when they can be read, and presence only while it is true', async () => {
      const unreadable = poisonOf(messageOf(id, ann.id, 'x'), 'tidings.message.sent.v9');
      const name = await append(fixture.kafka, unreadable);
      expect(await replay().run(await letterOf(name), true)).toMatchObject({
        ok: false,
        says: expect.stringContaining('unknown version: tidings.message.sent.v9'),
      });
      expect(await copies(name)).toBe(0);
      const lost = { userId: ann.id, gatewayId: 'g', bootId: 'b', at: new Date().toISOString() };
      const event = { type: EVENT_TYPES.connectionLost, id: uuidv7(), key: ann.id, value: lost };
      const poison = { topic: TOPICS.presence, ...event };
      const place = { partition: 0, offset: 7, timestamp: Date.now() };
      const old = await letterOf(await setAside(fixture.kafka, 'presence-tracker', poison, place));
      expect(await replay().run(old, false)).toMatchObject({
        ok: false,
        says: expect.stringContaining('as if it were now'),
      });
      await marks.put(old, { mark: 'dropped', by: 'op@test', reason: 'over', to: '' });
      expect(await replay().run(await letterOf(old.id), true)).toMatchObject({
        ok: false,
        says: expect.stringMatching(/^was dropped .* by op@test: over$/),
      });
    });
  });
});
