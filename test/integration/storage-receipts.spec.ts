import { EVENT_TYPES } from '@tidings/common/log-events/events';
import type { Receipt } from '@tidings/protocol/http';
import { deadLetterTopic, GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import { LogWriter, type AppendResult } from '@tidings/common/kafka/writer/log-writer';
import { Watermarks } from '@tidings/common/kafka/offsets/watermarks';
import { uuidv7 } from 'uuidv7';
import { eventually } from '../support/eventually';
import {
  codeOf,
  messageOf,
  newUser,
  PARTITIONS,
  type RunningStorage,
  StorageFixture,
  type TestUser,
  synced,
} from './storage-support';

const PATIENT = { timeoutMs: 30_000 };

describe('storage: receipts', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let writer: LogWriter;
  let ann: TestUser;
  let bob: TestUser;
  let id: string;
  let positions: string[];

  /** Appends a value to the receipt log. */
  const append = (value: unknown, key = id): Promise<void> =>
    new Promise((resolve, reject) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      const record = { key, type: EVENT_TYPES.receipt, id: uuidv7(), time: '', value: text };
      const done = (result: AppendResult): void => (result.ok ? resolve() : reject(result));
      if (!writer.append(record, done)) reject(new Error('busy'));
    });
  const raise = (userId: string, marks: { delivered?: string; read?: string }): Promise<void> =>
    append({ conversationId: id, userId, deviceId: uuidv7(), at: 'now', ...marks });
  const list = async (asking: TestUser): Promise<Map<string, Omit<Receipt, 'userId'>>> => {
    const input = { userId: asking.id, conversationId: id, limit: 100 };
    const { items } = await one.rpc.call('receipts.list', input, PATIENT);
    return new Map(items.map(({ userId, ...marks }) => [userId, marks]));
  };
  const raw = async (userId: string) => {
    const text = 'SELECT delivered, read FROM members WHERE conversation_id = $1 AND user_id = $2';
    return (await fixture.rows<{ delivered: string; read: string }>(text, [id, userId]))[0];
  };

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    one = await fixture.storage('storage-1');
    const topic = TOPICS.receipts;
    const { kafka } = fixture;
    writer = new LogWriter({ kafka, topic, partitions: PARTITIONS, source: 'test', epoch: 1 });
    await writer.start();
  }, 240_000);

  afterAll(async () => {
    await writer?.stop({ flushMs: 1_000 });
    await fixture?.stop();
  });

  beforeEach(async () => {
    [ann, bob] = await Promise.all([newUser(one.rpc), newUser(one.rpc)]);
    const input = { userId: ann.id, otherId: bob.id };
    id = (await one.rpc.call('conversations.direct', input, PATIENT)).conversation.id;
    const texts = ['a', 'b', 'c', 'd', 'e'];
    positions = await fixture.append(texts.map((text) => messageOf(id, ann.id, text)));
    await eventually(async () => {
      const view = await one.rpc.call('conversations.get', { userId: ann.id, conversationId: id });
      expect(view.lastPosition).toBe(positions.at(-1));
    });
  });

  it('keeps the maximum of each member, whatever comes in which order', async () => {
    await raise(bob.id, { delivered: positions[3] });
    await raise(bob.id, { read: positions[1] });
    await raise(bob.id, { delivered: positions[0], read: '0' });
    await raise(ann.id, { read: positions[4] });
    await eventually(async () => {
      const marks = await list(ann);
      expect(marks.get(bob.id)).toEqual({ delivered: positions[3], read: positions[1] });
      expect(marks.get(ann.id)).toEqual({ delivered: positions[4], read: positions[4] });
    });
  });

  it('stores marks raw and caps them at the last entry when read', async () => {
    const beyond = String(BigInt(positions[4]!) + 1_000_000n);
    await raise(bob.id, { read: beyond });
    await eventually(async () => expect(await raw(bob.id)).toMatchObject({ read: beyond }));
    expect((await list(ann)).get(bob.id)).toEqual({
      delivered: positions[4],
      read: positions[4],
    });
  });

  it('computes unread from the mark, the same in every answer; own messages never count', async () => {
    const unread = async (user: TestUser) => {
      const view = await one.rpc.call('conversations.get', { userId: user.id, conversationId: id });
      const conversations = [{ conversationId: id, position: '0' }];
      const barrier = await fixture.barrier();
      const input = { userId: user.id, request: { conversations }, barrier };
      const bodies = await synced(one.rpc, input);
      return [view.unread, bodies[0]!.conversations[0]!.unread];
    };
    expect(await unread(bob)).toEqual([5, 5]);
    expect(await unread(ann)).toEqual([0, 0]);
    await raise(bob.id, { read: positions[2] });
    await eventually(async () => expect(await unread(bob)).toEqual([2, 2]));
    await raise(bob.id, { delivered: positions[4] });
    await raise(bob.id, { read: positions[1] });
    await raise(bob.id, { read: positions[4] });
    await eventually(async () => expect(await unread(bob)).toEqual([0, 0]));
  });

  it('raises present members only', async () => {
    const eve = await newUser(one.rpc);
    await raise(eve.id, { read: positions[4] });
    await fixture.rows(
      'UPDATE members SET until_position = $3 WHERE conversation_id = $1 AND user_id = $2',
      [id, bob.id, positions[2]],
    );
    await raise(bob.id, { read: positions[4] });
    await raise(ann.id, { read: positions[4] });
    await eventually(async () => expect((await list(ann)).get(ann.id)?.read).toBe(positions[4]));
    expect(await raw(eve.id)).toBeUndefined();
    expect(await raw(bob.id)).toMatchObject({ read: '0' });
    expect([...(await list(ann)).keys()]).toEqual([ann.id]);
    const asking = (user: TestUser) =>
      codeOf(one.rpc.call('receipts.list', { userId: user.id, conversationId: id, limit: 9 }));
    expect([await asking(bob), await asking(eve)]).toEqual([
      'no_such_conversation',
      'no_such_conversation',
    ]);
  });

  it('hides read both ways while one of the two does not show his', async () => {
    await raise(bob.id, { read: positions[1] });
    await raise(ann.id, { read: positions[2] });
    await eventually(async () => expect((await list(bob)).get(ann.id)?.read).toBe(positions[2]));
    const shows = (readReceipts: boolean) =>
      one.rpc.call('accounts.patch', { userId: bob.id, privacy: { readReceipts } });
    expect((await shows(false)).privacy.readReceipts).toBe(false);
    expect((await list(ann)).get(bob.id)).toEqual({ delivered: positions[1], read: '0' });
    expect((await list(bob)).get(ann.id)).toEqual({ delivered: positions[2], read: '0' });
    // his own he sees
    expect((await list(bob)).get(bob.id)).toEqual({ delivered: positions[1], read: positions[1] });
    const view = await one.rpc.call('conversations.get', { userId: ann.id, conversationId: id });
    expect(view.members!.find((m) => m.userId === bob.id)).toMatchObject({ read: '0' });
    const asked = { conversationId: id, limit: 100 };
    for (const [asking, other] of [[ann, bob] as const, [bob, ann] as const]) {
      const input = { userId: asking.id, ...asked };
      const { items } = await one.rpc.call('members.list', input, PATIENT);
      expect(items.find((m) => m.userId === other.id)).toMatchObject({ read: '0' });
      expect(items.find((m) => m.userId === asking.id)?.read).not.toBe('0');
    }
    await shows(true);
    expect((await list(ann)).get(bob.id)).toEqual({ delivered: positions[1], read: positions[1] });
  });

  it('tells session who may see what, raised to what the record says', async () => {
    await raise(bob.id, { delivered: positions[3], read: positions[0] });
    await eventually(async () => expect(await raw(bob.id)).toMatchObject({ read: positions[0] }));
    const view = async (userId: string, delivered: string, read: string) => {
      const items = [{ conversationId: id, userId, delivered, read }];
      return (await one.rpc.call('receipts.view', { items })).items[0];
    };
    expect(await view(bob.id, '0', positions[2]!)).toEqual({
      others: [{ userId: ann.id, seesRead: true }],
      delivered: positions[3],
      read: positions[2],
      unread: 2,
      upTo: positions[4],
      deliveredBefore: positions[3],
    });
    // backwards: nothing falls; nothing is counted where nothing was read
    expect(await view(bob.id, positions[1]!, '0')).toEqual({
      others: [{ userId: ann.id, seesRead: true }],
      delivered: positions[3],
      read: positions[2],
      deliveredBefore: positions[3],
    });
    expect(await view(uuidv7(), '1', '1')).toBeNull();
    await one.rpc.call('accounts.patch', { userId: ann.id, privacy: { readReceipts: false } });
    expect((await view(bob.id, '0', '1'))!.others).toEqual([{ userId: ann.id, seesRead: false }]);
  });

  it('keeps what was read before session pushes it: who connects behind the push finds it', async () => {
    const at = Date.now() - 5_000;
    const items = [
      { conversationId: id, userId: bob.id, delivered: positions[4]!, read: positions[2]!, at },
    ];
    // nothing of it is in the receipt log: what storage's consumer has not applied yet
    expect((await one.rpc.call('receipts.view', { items })).items[0]).toMatchObject({ unread: 2 });
    const request = { conversations: [{ conversationId: id, position: '0' }] };
    const input = { userId: bob.id, request, barrier: await fixture.barrier() };
    const [entry] = (await synced(one.rpc, input))[0]!.conversations;
    expect(entry!.unread).toBe(2);
    expect(entry!.receipts.find((r) => r.userId === bob.id)?.read).toBe(positions[2]);
    const text = 'SELECT read_at FROM members WHERE conversation_id = $1 AND user_id = $2';
    const [row] = await fixture.rows<{ read_at: Date }>(text, [id, bob.id]);
    expect(row!.read_at.getTime()).toBe(at);
    // the receipt log changes nothing more, and takes nothing back
    await raise(bob.id, { read: positions[1] });
    await raise(bob.id, { delivered: positions[4] });
    await eventually(async () =>
      expect(await raw(bob.id)).toMatchObject({ delivered: positions[4] }),
    );
    expect(await raw(bob.id)).toMatchObject({ read: positions[2] });
  });

  it.each([
    [32, 31, 32],
    [33, 0, 1],
  ])('of a group of %i tells %i others by push and %i in a sync', async (size, told, shown) => {
    const users = Array.from({ length: size - 2 }, () => uuidv7());
    await fixture.rows(
      `INSERT INTO members (conversation_id, user_id, role, from_position)
       SELECT $1, u, 'member', 0 FROM unnest($2::uuid[]) u`,
      [id, users],
    );
    const items = [{ conversationId: id, userId: bob.id, delivered: positions[0]!, read: '0' }];
    const view = (await one.rpc.call('receipts.view', { items })).items[0]!;
    expect(view.others).toHaveLength(told);
    const request = { conversations: [{ conversationId: id, position: '0' }] };
    const input = { userId: bob.id, request, barrier: await fixture.barrier() };
    const bodies = await synced(one.rpc, input);
    const { receipts } = bodies[0]!.conversations[0]!;
    expect(receipts).toHaveLength(shown);
    expect(receipts.map((r) => r.userId)).toContain(bob.id);
    const all = await one.rpc.call('receipts.list', {
      userId: ann.id,
      conversationId: id,
      limit: 100,
    });
    expect(all.items).toHaveLength(size);
  });

  it('sets aside what is no receipt, and goes on', async () => {
    const topic = deadLetterTopic(TOPICS.receipts, GROUPS.storageReceipts);
    const marks = new Watermarks(fixture.kafka, topic);
    const letters = async (): Promise<bigint> => (await marks.barrier())[0] ?? 0n;
    try {
      const before = await letters();
      await append('{"conversationId":');
      await append({ conversationId: id, userId: 'nobody', deviceId: 'none', read: '1', at: '' });
      await append({ conversationId: id, userId: bob.id, deviceId: bob.id, read: '-1', at: '' });
      await raise(bob.id, { read: positions[0] });
      await eventually(async () => expect(await raw(bob.id)).toMatchObject({ read: positions[0] }));
      expect((await letters()) - before).toBe(3n);
    } finally {
      marks.stop();
    }
  });

  it('loses nothing that was appended while it was away, and applies a replay without harm', async () => {
    await raise(bob.id, { read: positions[0] });
    await eventually(async () => expect(await raw(bob.id)).toMatchObject({ read: positions[0] }));
    await one.stop();
    await raise(bob.id, { delivered: positions[4], read: positions[2] });
    await raise(bob.id, { read: positions[1] });
    one = await fixture.storage('storage-2');
    await eventually(async () => {
      expect(await raw(bob.id)).toEqual({ delivered: positions[4], read: positions[2] });
    });
  });
});
