import type { RedisClient } from '@tidings/common/redis/client';
import { Inbox, InboxWriter } from '@tidings/common/redis/inbox';
import { KEYS } from '@tidings/common/redis/keys';
import { randomUUID } from 'node:crypto';
import { eventually } from '../support/eventually';
import { RedisRig } from './redis-harness';

const GATEWAY = 'gateway-1';

/** An inbox with its reader, and what the reader has said so far. */
class Reader {
  readonly entries: [number, string][] = [];
  readonly holes: [number, number | null][] = [];
  readonly errors: unknown[] = [];
  readonly setAside: [number, unknown][] = [];
  readonly inbox: Inbox;
  readonly bootId = randomUUID();

  constructor(
    client: RedisClient,
    readonly blocking: RedisClient,
    ttlMs?: number,
  ) {
    const options = { gatewayId: GATEWAY, bootId: this.bootId, blockMs: 100, ttlMs };
    this.inbox = new Inbox(client, blocking, options);
  }

  read(): void {
    void this.inbox.read({
      onEntry: (payload, n) => this.entries.push([n, payload.toString()]),
      onHole: (expected, got) => this.holes.push([expected, got]),
      onSetAside: (error, n) => this.setAside.push([n, error]),
      onError: (error) => this.errors.push(error),
    });
  }

  numbers(): number[] {
    return this.entries.map(([n]) => n);
  }
}

describe('inbox', () => {
  let rig: RedisRig;
  let client: RedisClient;
  let writer: InboxWriter;
  let readers: Reader[] = [];

  beforeAll(async () => {
    rig = await RedisRig.start();
    client = await rig.client();
    writer = new InboxWriter(client);
  }, 240_000);
  afterAll(() => rig?.stop());
  afterEach(async () => {
    for (const reader of readers) await reader.inbox.close();
    readers = [];
  });

  async function open(ttlMs?: number): Promise<Reader> {
    const reader = new Reader(client, await rig.client({ blocking: true }), ttlMs);
    readers.push(reader);
    await reader.inbox.create();
    return reader;
  }

  const entriesFor = (reader: Reader, payloads: (string | Buffer)[]) =>
    payloads.map((payload) => ({ gatewayId: GATEWAY, bootId: reader.bootId, payload }));
  const append = (reader: Reader, payloads: (string | Buffer)[], by = writer) =>
    by.append(entriesFor(reader, payloads));
  const count = (n: number) => Array.from({ length: n }, (_, i) => `payload ${i}`);

  it('hands on every entry once, in order, numbered without gaps', async () => {
    const reader = await open();
    expect(await append(reader, ['before the reader', Buffer.from('bytes Ü')])).toEqual([
      'ok',
      'ok',
    ]);
    reader.read();
    for (let i = 0; i < 5; i += 1) await append(reader, count(200));
    await eventually(() => expect(reader.entries).toHaveLength(1_002));
    expect(reader.numbers()).toEqual(Array.from({ length: 1_002 }, (_, i) => i + 1));
    expect(reader.entries.slice(0, 3).map(([, payload]) => payload)).toEqual([
      'before the reader',
      'bytes Ü',
      'payload 0',
    ]);
    expect([reader.holes, reader.errors]).toEqual([[], []]);
  });

  it('numbers the entries of concurrent writers without gaps', async () => {
    const reader = await open();
    reader.read();
    const writers = await Promise.all(
      Array.from({ length: 4 }, async () => new InboxWriter(await rig.client())),
    );
    await Promise.all(
      Array.from({ length: 40 }, (_, i) => append(reader, count(10), writers[i % 4]!)),
    );
    await eventually(() => expect(reader.entries).toHaveLength(400));
    expect(reader.holes).toEqual([]);
  });

  it('tells a writer of a missing inbox, and does not make it', async () => {
    const reader = await open();
    const lost = { gatewayId: GATEWAY, bootId: 'boot-0', payload: 'x' };
    const results = await writer.append([...entriesFor(reader, ['a']), lost, lost]);
    expect(results).toEqual(['ok', 'gone', 'gone']);
    expect(await client.exists(KEYS.inbox(GATEWAY, 'boot-0'))).toBe(0);
    expect(await client.exists(KEYS.inboxCounters(GATEWAY, 'boot-0'))).toBe(0);
    await client.del(KEYS.inbox(GATEWAY, reader.bootId));
    expect(await append(reader, ['b'])).toEqual(['gone']);
    expect(await writer.append([])).toEqual([]);
  });

  it('drops what was handed on, and lives on by that', async () => {
    const reader = await open(2_000);
    reader.read();
    await append(reader, count(50));
    await eventually(() => expect(reader.entries).toHaveLength(50));
    const stream = KEYS.inbox(GATEWAY, reader.bootId);
    expect(await client.xlen(stream)).toBe(50);
    await client.pexpire(stream, 500);
    expect(await reader.inbox.trim()).toBe(true);
    expect(await client.xlen(stream)).toBe(0);
    expect(await client.pttl(stream)).toBeGreaterThan(1_500);
    expect(await append(reader, ['after'])).toEqual(['ok']);
    await eventually(() => expect(reader.numbers().at(-1)).toBe(51));
    expect(reader.holes).toEqual([]);
  });

  it('knows how many entries wait to be read, as of the last trim', async () => {
    const reader = await open();
    await append(reader, count(30));
    expect(reader.inbox.waiting).toBe(0);
    await reader.inbox.trim();
    expect(reader.inbox.waiting).toBe(30);
    reader.read();
    await eventually(() => expect(reader.entries).toHaveLength(30));
    await reader.inbox.trim();
    expect(reader.inbox.waiting).toBe(0);
    await client.del(KEYS.inboxCounters(GATEWAY, reader.bootId));
    await reader.inbox.trim();
    expect(reader.inbox.waiting).toBe(0);
  });

  it('is bounded in bytes: a full one loses what comes, and its reader sees the hole', async () => {
    const reader = await open();
    const small = new InboxWriter(client, { maxBytes: 1_000 });
    const payload = 'x'.repeat(400);
    expect(await append(reader, [payload, payload, payload, 'y'], small)).toEqual([
      'ok',
      'ok',
      'full',
      'ok',
    ]);
    reader.read();
    await eventually(() => expect(reader.numbers()).toEqual([1, 2, 4]));
    expect(reader.holes).toEqual([[3, 4]]);
    expect(await append(reader, [payload], small)).toEqual(['full']);
    await eventually(() =>
      expect(reader.holes).toEqual([
        [3, 4],
        [5, 6],
      ]),
    );
    await reader.inbox.trim();
    expect(await append(reader, [payload, payload], small)).toEqual(['ok', 'ok']);
    await eventually(() => expect(reader.numbers()).toEqual([1, 2, 4, 6, 7]));
    expect(reader.holes).toHaveLength(2);
  });

  it('is bounded in entries: the oldest go, and its reader sees the hole', async () => {
    const reader = await open();
    const small = new InboxWriter(client, { maxEntries: 200 });
    for (let i = 0; i < 10; i += 1) await append(reader, count(100), small);
    expect(await client.xlen(KEYS.inbox(GATEWAY, reader.bootId))).toBeLessThanOrEqual(300);
    reader.read();
    await eventually(() => expect(reader.numbers().at(-1)).toBe(1_000));
    expect(reader.holes).toEqual([[1, reader.entries[0]![0]]]);
    expect(reader.entries[0]![0]).toBeGreaterThan(700);
  });

  it('reports a lost inbox once, and reads it again when it was made anew', async () => {
    const reader = await open();
    reader.read();
    await append(reader, ['a']);
    await eventually(() => expect(reader.numbers()).toEqual([1]));
    await client.del(
      KEYS.inbox(GATEWAY, reader.bootId),
      KEYS.inboxCounters(GATEWAY, reader.bootId),
    );
    await eventually(() => expect(reader.holes).toEqual([[2, null]]));
    expect(await reader.inbox.trim()).toBe(false);
    await reader.inbox.create();
    await append(reader, ['b']);
    await eventually(() => expect(reader.entries.at(-1)).toEqual([1, 'b']));
    expect(reader.holes).toHaveLength(1);
  });

  it('reports an inbox that fell back to an earlier state', async () => {
    const reader = await open();
    reader.read();
    await append(reader, count(10));
    await eventually(() => expect(reader.entries).toHaveLength(10));
    await client.hset(KEYS.inboxCounters(GATEWAY, reader.bootId), 'n', 4);
    await eventually(() => expect(reader.holes).toEqual([[11, null]]));
  });

  it('expires without its gateway, which then reports it', async () => {
    const reader = await open(200);
    reader.read();
    await eventually(() => expect(reader.holes).toEqual([[1, null]]));
    expect(await append(reader, ['a'])).toEqual(['gone']);
  });

  it('survives killed connections without a loss or a double', async () => {
    const reader = await open();
    reader.read();
    for (let i = 0; i < 5; i += 1) {
      await append(reader, count(20));
      const id = await reader.blocking.client('ID').catch(() => null);
      if (id !== null) await client.client('KILL', 'ID', id);
      await append(reader, count(20));
    }
    await eventually(() => expect(reader.entries).toHaveLength(200));
    expect(reader.numbers()).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    expect(reader.holes).toEqual([]);
  });

  it('closes within one block, and hands on nothing after it', async () => {
    const reader = await open();
    reader.read();
    const start = performance.now();
    await reader.inbox.close();
    expect(performance.now() - start).toBeLessThan(1_000);
    await append(reader, ['late']);
    expect(reader.entries).toEqual([]);
  });

  it('sets an entry aside over which its handler throws, and closes while Redis is away', async () => {
    const reader = await open();
    const seen: number[] = [];
    const done = reader.inbox.read({
      onEntry: (_, n) => {
        seen.push(n);
        if (n === 2) throw new Error('a defect');
      },
      onSetAside: (error, n) => reader.setAside.push([n, error]),
      onHole: () => undefined,
      onError: (error) => reader.errors.push(error),
    });
    await append(reader, count(4));
    await eventually(() => expect(seen).toEqual([1, 2, 3, 4]));
    expect(reader.setAside).toEqual([[2, new Error('a defect')]]);
    expect(reader.errors).toEqual([]);
    reader.blocking.disconnect();
    await reader.inbox.close();
    await done;
  });
});
