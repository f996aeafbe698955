import { randomBytes } from 'node:crypto';
import { join, relative, sep } from 'node:path';
import type { Message } from '@tidings/protocol/content';
import type { Conversation } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import { TOPICS, topicSpecs } from '@tidings/common/log-events/topics';
import { createKafka } from '@tidings/common/kafka/wire/client';
import type { RedisClient } from '@tidings/common/redis/client';
import { Client } from 'pg';
import sharp from 'sharp';
import { uuidv7 } from 'uuidv7';
import { clusterOf } from '../../tools/stack/server-user';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import {
  filesBelow,
  filesHolding,
  recordsHolding,
  redisKeysHolding,
  searchedRedis,
  tablesHolding,
} from '../support/leak-search';
import { answerTo, pushOf } from '../support/sends';
import { startTestStack } from '../support/test-stack';
import { changeTopic } from '../support/topic-config';

const TTL_MS = LIMITS.ttlMinSeconds * 1_000;
/** All content is gone this long after it has expired. */
const GONE_MS = 60_000;
/** Kafka starts, the groups join again, storage catches up. */
const BACK_MS = 60_000;

describe('what was said in a temporary chat', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let sql: Client;
  let redis: RedisClient;
  let ann: ChatUser;
  let bob: ChatUser;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      env: { LOG_LEVEL: 'debug', JOURNAL_SWEEP_SECONDS: '2' },
      kafkaProperties: { 'log.retention.check.interval.ms': '1000' },
    }));
    sql = new Client({ connectionString: stack.databaseUrl });
    await sql.connect();
    redis = await searchedRedis(stack.redisUrl);
    ann = await ChatUser.create(stack.gatewayUrls, { at: 0 });
    bob = await ChatUser.create(stack.gatewayUrls, { at: 1 });
  }, 240_000);

  afterAll(async () => {
    redis?.disconnect();
    await sql?.end();
    await stop?.();
  });

  /** A group of the two, so that each test has one of its own. */
  async function group(messageTtlSeconds: number): Promise<string> {
    const made = await ann.http<Conversation>('POST', '/v1/conversations', {
      kind: 'group',
      requestId: uuidv7(),
      title: 'Brief',
      userIds: [bob.id],
      messageTtlSeconds,
    });
    expect(made.status).toBe(201);
    return made.body.id;
  }

  let seen: NodeJS.Timeout | undefined;
  afterEach(() => clearInterval(seen));

  const kafka = () => createKafka({ brokers: [stack.brokers], clientId: 'test' });
  const canary = `canary-${randomBytes(16).toString('hex')}`;
  const inFiles = (...dir: string[]) => filesHolding(join(stack.dir, ...dir), canary);
  const inWriteAheadLog = () => filesHolding(join(clusterOf(stack.dir), 'pg_wal'), canary);
  const inSpools = () => inFiles('nodes').filter((path) => path.includes('/spool/'));
  const topics = topicSpecs({ partitions: 1, replication: 1, minInsyncReplicas: 1 });
  const inRecords = (text = canary) =>
    recordsHolding(
      kafka(),
      topics.map(({ name }) => name),
      text,
    );

  const upload = async (conversationId: string, bytes: Buffer, type: string): Promise<string> => {
    const response = await fetch(`${ann.bases[0]}/v1/media`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${ann.accessToken}`,
        'content-type': type,
        'x-conversation-id': conversationId,
      },
      body: bytes as never,
    });
    expect(response.status).toBe(201);
    return ((await response.json()) as { mediaId: string }).mediaId;
  };

  // Before the test that shortens the retention of the log.
  it('has the bytes of an upload nowhere but with the media, and every device of both gets them', async () => {
    const id = await group(LIMITS.ttlMaxSeconds);
    const all = [ann, bob, await ann.onNewDevice(), await bob.onNewDevice()];
    const sockets = await Promise.all(all.map((user, i) => user.connect(`gateway-${(i % 2) + 1}`)));
    // as bytes and in base64, in which they begin a group of three
    const mark = randomBytes(12).toString('hex');
    const marks = [mark, Buffer.from(mark).toString('base64')];
    const bytes = Buffer.concat([Buffer.from(mark), randomBytes(200_000), Buffer.from(mark)]);
    const mediaId = await upload(id, bytes, 'application/octet-stream');
    const messageId = uuidv7();
    const content = { kind: 'file', mediaId, name: `${mediaId}.bin` };
    const frame = { type: 'send', messageId, conversationId: id, content };
    expect((await answerTo(sockets[0]!, frame)).type).toBe('sent');
    const pushes = await Promise.all(sockets.map((socket) => pushOf(socket, messageId)));
    for (const push of pushes) expect(push).toEqual(pushes[0]);
    for (const user of all) {
      const got = await fetch(`${user.bases[0]}/v1/media/${mediaId}`, {
        headers: { authorization: `Bearer ${user.accessToken}` },
      });
      expect(got.status).toBe(200);
      expect(bytes.equals(Buffer.from(await got.arrayBuffer()))).toBe(true);
    }
    // The message that shows it is where its id is looked for.
    await eventually(async () => {
      const found = await tablesHolding(sql, mediaId);
      expect(found).toContainEqual(expect.stringMatching(/^public\.messages_\d+$/));
    }, BACK_MS);
    expect(await inRecords(mediaId)).not.toEqual([]);
    // Under root the cluster may lie outside of the stack's directory.
    const inCluster = (text: string) => filesHolding(clusterOf(stack.dir), text);
    const everywhere = (text: string) =>
      filesHolding(stack.dir, text)
        .filter((path) => !path.startsWith(clusterOf(stack.dir)))
        .map((path) => relative(stack.dir, path).split(sep)[0]);
    expect(everywhere(mediaId)).toContain('kafka');
    expect(inCluster(mediaId)).not.toEqual([]);
    for (const text of marks) expect(inCluster(text)).toEqual([]);
    expect(everywhere(mark)).toEqual(['media']);
    expect(everywhere(marks[1]!)).toEqual([]);
    for (const text of marks) {
      expect(await tablesHolding(sql, text)).toEqual([]);
      expect(await redisKeysHolding(redis, text)).toEqual([]);
      expect(await inRecords(text)).toEqual([]);
    }
    await Promise.all(sockets.map((socket) => socket.end()));
  });

  it('keeps its time while it is held, and leaves the disk when that is over', async () => {
    const brief = await group(LIMITS.ttlMinSeconds);
    const long = await group(LIMITS.ttlMaxSeconds);
    const [a, b] = [await ann.connect('gateway-1'), await bob.connect('gateway-2')];
    // What is told before the log is away need not be asked while it is.
    for (const id of [brief, long]) await answerTo(a, textSend({ conversationId: id }, 'before'));
    await stack.kafka.stop();
    const stays = textSend({ conversationId: long }, 'held for a while');
    const goes = textSend({ conversationId: brief }, `held ${canary}`);
    const began = Date.now();
    expect((await answerTo(a, stays)).type).toBe('held');
    expect((await answerTo(a, goes)).type).toBe('held');
    const heldAt = Date.now();
    expect(inSpools()).not.toEqual([]);
    await eventually(() => expect(inFiles('nodes')).toEqual([]), TTL_MS + GONE_MS);
    expect(Date.now()).toBeGreaterThanOrEqual(began + TTL_MS);
    await stack.kafka.restart();
    const over = await a.find(
      (f) => f.type === 'error' && f['messageId'] === goes.messageId,
      BACK_MS,
    );
    expect(over['code']).toBe('content_expired');
    // only its place is in the log: a repetition is answered with it
    expect((await answerTo(a, { ...goes, retry: true })).type).toBe('sent');
    expect(b.of('message').map((f) => f['messageId'])).not.toContain(goes.messageId);
    await a.find((f) => f.type === 'sent' && f['messageId'] === stays.messageId, BACK_MS);
    const { sentAt, expiresAt } = (await pushOf(b, stays.messageId)) as unknown as Message;
    const sent = Date.parse(sentAt);
    expect(sent >= began && sent <= heldAt).toBe(true);
    expect(Date.parse(expiresAt!) - sent).toBe(LIMITS.ttlMaxSeconds * 1_000);
    await eventually(async () => {
      const texts = (await bob.history(long)).map(({ content }) =>
        content.kind === 'text' ? content.text : '',
      );
      expect(texts).toContain('held for a while');
    }, BACK_MS);
    await Promise.all([a.end(), b.end()]);
  }, 180_000);

  it('is in no table, key, stream, upload, spool and log line 60 s after its end, and after the retention in no log', async () => {
    const id = await group(LIMITS.ttlMinSeconds);
    const [a, b] = [await ann.connect('gateway-1'), await bob.connect('gateway-2')];
    const image = await upload(
      id,
      await sharp({ create: { width: 40, height: 30, channels: 3, background: 'red' } })
        .png()
        .toBuffer(),
      'image/png',
    );
    const file = await upload(id, Buffer.from(`a file with ${canary} in it`), 'text/plain');
    const text = textSend({ conversationId: id }, `text ${canary}`);
    const frames = [
      { ...text, meta: { [canary]: canary } },
      { ...textSend({ conversationId: id }, 'to be edited'), replyTo: text.messageId },
      {
        type: 'send',
        messageId: uuidv7(),
        conversationId: id,
        content: { kind: 'image', mediaId: image, caption: canary },
      },
      {
        type: 'send',
        messageId: uuidv7(),
        conversationId: id,
        content: { kind: 'file', mediaId: file, name: `${canary}.txt` },
      },
      {
        type: 'send',
        messageId: uuidv7(),
        conversationId: id,
        content: { kind: 'custom', data: { canary } },
      },
    ];
    // They are rewritten every two seconds here: looked for until they are seen.
    const journals = { redis: 0, postgresql: 0 };
    seen = setInterval(() => {
      journals.redis += inFiles('redis').length;
      journals.postgresql += inWriteAheadLog().length;
    }, 100);
    for (const frame of frames) expect((await answerTo(a, frame)).type).toBe('sent');
    const changeId = uuidv7();
    a.send({
      type: 'edit',
      changeId,
      conversationId: id,
      messageId: frames[1]!.messageId,
      content: { kind: 'text', text: `edited ${canary}` },
    });
    await b.find((f) => f.type === 'changed' && f['changeId'] === changeId);
    const last = await pushOf(b, frames.at(-1)!.messageId);
    const expiresAt = Date.parse(last['expiresAt'] as string);
    const mediaStatus = async (mediaId: string, variant = '') =>
      (
        await fetch(`${bob.bases[0]}/v1/media/${mediaId}${variant}`, {
          headers: { authorization: `Bearer ${bob.accessToken}` },
        })
      ).status;

    // Each search finds it while it is there.
    await eventually(async () =>
      expect(await tablesHolding(sql, canary)).toEqual(
        expect.arrayContaining([expect.stringMatching(/^public\.messages_\d+$/)]),
      ),
    );
    expect(await mediaStatus(image, '/thumbnail')).toBe(200);
    expect(inFiles('media')).toHaveLength(1);
    expect(inFiles('kafka', 'log')).not.toEqual([]);
    expect(journals.redis).toBeGreaterThan(0);
    expect(journals.postgresql).toBeGreaterThan(0);
    clearInterval(seen);
    expect((await inRecords()).length).toBeGreaterThanOrEqual(frames.length);

    expect(filesNamed(image, file)).toHaveLength(3);
    await eventually(
      async () => {
        expect(await tablesHolding(sql, canary)).toEqual([]);
        expect(await redisKeysHolding(redis, canary)).toEqual([]);
        expect(inFiles('media')).toEqual([]);
        expect(filesNamed(image, file)).toEqual([]);
      },
      expiresAt - Date.now() + GONE_MS,
      1_000,
    );
    // The journals of the servers: Redis' append-only file and PostgreSQL's write-ahead log.
    await eventually(
      () => {
        expect(inFiles('redis')).toEqual([]);
        expect(inWriteAheadLog()).toEqual([]);
      },
      GONE_MS,
      1_000,
    );
    expect(inFiles('nodes')).toEqual([]);
    expect(inFiles('logs')).toEqual([]);
    for (const mediaId of [image, file]) expect(await mediaStatus(mediaId)).toBe(404);

    await changeTopic(kafka(), TOPICS.messages, {
      'retention.ms': '1000',
      'segment.ms': '1000',
      'file.delete.delay.ms': '100',
    });
    await eventually(() => expect(inFiles('kafka', 'log')).toEqual([]), GONE_MS, 1_000);
    expect(await inRecords()).toEqual([]);
    // The chat goes on with what the log has now.
    const next = textSend({ conversationId: id }, 'next');
    expect((await answerTo(a, next)).type).toBe('sent');
    await pushOf(b, next.messageId);
    await Promise.all([a.end(), b.end()]);
  }, 240_000);

  /** Files of these uploads, thumbnails included. */
  function filesNamed(...ids: string[]): string[] {
    return ids.flatMap((id) =>
      filesBelow(join(stack.dir, 'media')).filter((name) => name.includes(id)),
    );
  }
});
