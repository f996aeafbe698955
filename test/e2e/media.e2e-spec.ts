import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Client } from 'pg';
import sharp from 'sharp';
import { uuidv7 } from 'uuidv7';
import type { Conversation, MediaAnswer, MediaUrlAnswer } from '@tidings/common/contracts/http';
import type { Message, TidingsClient } from '@tidings/sdk';
import { nodeClient } from '@tidings/sdk/node';
import { Files } from '../../clients/cli/src/files';
import { contentText } from '../../clients/cli/src/message-lines';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { bombGif, bombPng, photo } from '../support/pictures';
import { startTestStack } from '../support/test-stack';

const SWEEP_SECONDS = '0.3';
const URL_SECONDS = 4;

let stack: Stack;
let stop: () => Promise<void>;
let sql: Client;
let ann: ChatUser;
let bob: ChatUser;
let eve: ChatUser;
let chat: Conversation;

beforeAll(async () => {
  ({ stack, stop } = await startTestStack({
    env: {
      ...{ MEDIA_SWEEP_SECONDS: SWEEP_SECONDS, EXPIRY_SWEEP_SECONDS: SWEEP_SECONDS },
      MEDIA_URL_SECONDS: String(URL_SECONDS),
    },
  }));
  sql = new Client({ connectionString: stack.databaseUrl });
  await sql.connect();
  [ann, bob, eve] = (await Promise.all(
    [0, 1, 0].map((at) => ChatUser.create(stack.gatewayUrls, { at })),
  )) as [ChatUser, ChatUser, ChatUser];
  chat = await ann.direct(bob);
}, 240_000);

afterAll(async () => {
  await sql?.end();
  await stop?.();
}, 60_000);

type Bytes = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

async function upload<T = MediaAnswer & { code?: string }>(
  user: ChatUser,
  bytes: Bytes | Buffer,
  type: string,
  options: { conversationId?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; body: T }> {
  const response = await fetch(`${user.bases[0]}/v1/media`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${user.accessToken}`,
      'content-type': type,
      'x-conversation-id': options.conversationId ?? chat.id,
      ...options.headers,
    },
    body: bytes as Bytes,
    ...(bytes instanceof ReadableStream && { duplex: 'half' as const }),
    signal: AbortSignal.timeout(30_000),
  });
  return { status: response.status, body: (await response.json()) as T };
}

async function get(
  user: ChatUser | null,
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; headers: Headers; bytes: Buffer }> {
  const base = user?.bases[0] ?? '';
  const response = await fetch(base + path, {
    ...init,
    headers: { ...(user && { authorization: `Bearer ${user.accessToken}` }), ...init.headers },
    signal: AbortSignal.timeout(15_000),
  });
  const { status, headers } = response;
  return { status, headers, bytes: Buffer.from(await response.arrayBuffer()) };
}

const statusOf = async (user: ChatUser | null, path: string): Promise<number> =>
  (await get(user, path)).status;

/** Sends a content over a fresh socket; gives the answer frame. */
async function send(user: ChatUser, content: unknown, conversationId = chat.id) {
  const socket = await user.connect();
  const messageId = uuidv7();
  socket.send({ type: 'send', messageId, conversationId, content });
  const answer = await socket.find((f) => f['messageId'] === messageId && f.type !== 'message');
  await socket.end();
  return answer;
}

/** Names of all files below the stack's media folder. */
function keptFiles(): string[] {
  const dir = join(stack.dir, 'media');
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort();
}

const PNG = () => sharp({ create: { width: 9, height: 5, channels: 3, background: 'red' } }).png();

describe('images', () => {
  it('go from one gateway to the other, upright, without EXIF and position', async () => {
    const jpeg = await photo({ width: 800, height: 600, orientation: 6 });
    expect(['Exif', 'Tidings Camera'].map((text) => jpeg.includes(text))).toEqual([true, true]);
    const made = await upload(ann, jpeg, 'image/jpeg');
    expect([made.status, made.body]).toEqual([
      201,
      {
        mediaId: made.body.mediaId,
        width: 600,
        height: 800,
        size: made.body.size,
        type: 'image/jpeg',
      },
    ]);
    const { mediaId, size } = made.body;
    const b = await bob.connect('gateway-2');
    const sent = await send(ann, { kind: 'image', mediaId, caption: 'look' });
    expect(sent.type).toBe('sent');
    const pushed = await b.find(
      (f) => f.type === 'message' && f['messageId'] === sent['messageId'],
    );
    const full = { type: 'image/jpeg', size, width: 600, height: 800 };
    expect(pushed['content']).toEqual({ kind: 'image', mediaId, caption: 'look', ...full });
    const seen = await get(bob, `/v1/media/${mediaId}`);
    expect([seen.status, seen.headers.get('content-type'), seen.bytes.length]).toEqual([
      ...[200, 'image/jpeg', size],
    ]);
    for (const text of ['Exif', 'GPS', 'Tidings Camera', 'ICC_PROFILE']) {
      expect([text, seen.bytes.includes(text)]).toEqual([text, false]);
    }
    expect((await sharp(seen.bytes).metadata()).orientation ?? 1).toBe(1);
    // Red was left above; turned by a quarter clockwise it is right above.
    const { data, info } = await sharp(seen.bytes).raw().toBuffer({ resolveWithObject: true });
    const colour = (x: number, y: number): string => {
      const at = (y * info.width + x) * info.channels;
      return data[at]! > 200 ? 'red' : 'blue';
    };
    expect([info.width, info.height]).toEqual([600, 800]);
    expect([colour(500, 100), colour(100, 100), colour(500, 700)]).toEqual(['red', 'blue', 'blue']);
    const thumb = await get(bob, `/v1/media/${mediaId}/thumbnail`);
    const { format, width, height } = await sharp(thumb.bytes).metadata();
    expect([format, width, height, thumb.bytes.includes('Exif')]).toEqual([
      'webp',
      240,
      320,
      false,
    ]);
    const history = await bob.history(chat.id);
    expect(history.at(-1)?.content).toEqual(pushed['content']);
    await b.end();
  });

  it('can be sent over HTTP, again with the same answer, and shown in a list', async () => {
    const { body } = await upload(ann, await PNG().toBuffer(), 'image/png');
    const put = () =>
      ann.http<{ position: string }>('PUT', `/v1/conversations/${chat.id}/messages/${messageId}`, {
        content: { kind: 'image', mediaId: body.mediaId },
      });
    const messageId = uuidv7();
    const [first, second] = [await put(), await put()];
    expect([first.status, second.body]).toEqual([200, first.body]);
    const shown = (await bob.history(chat.id)).at(-1);
    expect(shown?.content).toMatchObject({ kind: 'image', width: 9, height: 5 });
  });

  it('lose what was hidden behind them: a page behind a JPEG, a script in a GIF comment', async () => {
    const page = '<html><script>alert(1)</script></html>';
    const plain = await PNG().jpeg().toBuffer();
    const polyglot = await upload(ann, Buffer.concat([plain, Buffer.from(page)]), 'image/jpeg');
    const gif = await PNG().gif().toBuffer();
    const comment = Buffer.concat([
      gif.subarray(0, -1),
      Buffer.from(`\x21\xfe${String.fromCharCode(page.length)}${page}\0;`, 'latin1'),
    ]);
    const script = await upload(ann, comment, 'text/html');
    for (const { status, body } of [polyglot, script]) {
      expect(status).toBe(201);
      const { headers, bytes } = await get(ann, `/v1/media/${body.mediaId}`);
      expect([headers.get('content-type'), headers.get('x-content-type-options')]).toEqual([
        ...[body.type, 'nosniff'],
      ]);
      expect(bytes.includes('script')).toBe(false);
    }
    expect(script.body.type).toBe('image/gif');
  });
});

describe('refusals leave nothing behind', () => {
  const HTML = '<html><script>alert(1)</script></html>';
  const SVG = '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>';
  it.each([
    ['a PNG of 196 megapixels', () => bombPng(14_000, 14_000), 'image/png', 413],
    ['a GIF of many frames', () => bombGif(4_000, 4_000, 3), 'image/gif', 413],
    ['a script that begins like a GIF', () => Buffer.from('GIF89a=1;alert(1)//'), 'image/gif', 422],
    ['an SVG', () => Buffer.from(SVG), 'image/svg+xml', 415],
    ['a page called JPEG', () => Buffer.from(HTML), 'image/jpeg', 415],
    ['an image over its limit', () => over(10 * 1024 * 1024 + 1), 'image/jpeg', 413],
    ['nothing', () => Buffer.alloc(0), 'text/plain', 400],
    ['nothing called image', () => Buffer.alloc(0), 'image/png', 415],
  ])('%s', async (_, bytes, type, status) => {
    const before = keptFiles();
    const answer = await upload(ann, bytes(), type);
    expect([answer.status, answer.body.mediaId]).toEqual([status, undefined]);
    expect(keptFiles()).toEqual(before);
  });

  function over(size: number): Buffer {
    const bytes = Buffer.alloc(size);
    bytes.set([0xff, 0xd8, 0xff, 0xe0]);
    return bytes;
  }

  it('100 MB, with and without a length', async () => {
    const before = keptFiles();
    const piece = Buffer.alloc(1024 * 1024, 'x');
    const stream = ReadableStream.from(
      (function* () {
        for (let i = 0; i < 100; i++) yield piece;
      })(),
    ) as ReadableStream<Uint8Array>;
    expect((await upload(ann, stream, 'application/zip')).status).toBe(413);
    expect((await upload(ann, Buffer.alloc(100e6), 'application/zip')).status).toBe(413);
    expect(keptFiles()).toEqual(before);
  });

  it('a body that breaks off, and one of which the rest never comes', async () => {
    const before = keptFiles();
    const { port } = new URL(ann.bases[0]!);
    const head =
      `POST /v1/media HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 1000000\r\n` +
      `Authorization: Bearer ${ann.accessToken}\r\nX-Conversation-Id: ${chat.id}\r\n\r\n`;
    const png = await PNG().toBuffer();
    const begin = () => {
      const socket = connect(Number(port), '127.0.0.1').resume();
      socket.on('error', () => undefined);
      socket.write(Buffer.concat([Buffer.from(head), png]));
      return socket;
    };
    const sockets = [begin(), begin()];
    await eventually(() => expect(keptFiles().length).toBe(before.length + 2));
    sockets[0]!.destroy();
    await eventually(() => expect(keptFiles().length).toBe(before.length + 1));
    let answer = '';
    sockets[1]!.on('data', (data: Buffer) => (answer += data.toString()));
    await eventually(() => expect(answer).toContain(' 400 '), 15_000);
    expect(keptFiles()).toEqual(before);
    sockets[1]!.destroy();
  }, 30_000);

  it('a conversation of others, an unknown one, none, and bytes that are packed', async () => {
    const before = keptFiles();
    const png = await PNG().toBuffer();
    const tries = await Promise.all([
      upload(eve, png, 'image/png'),
      upload(ann, png, 'image/png', { conversationId: 'A'.repeat(43) }),
      upload(ann, png, 'image/png', { conversationId: '../..' }),
      upload(ann, png, 'image/png', { headers: { 'content-encoding': 'gzip' } }),
    ]);
    expect(tries.map(({ status, body }) => [status, body.code])).toEqual([
      [404, 'no_such_conversation'],
      [404, 'no_such_conversation'],
      [400, 'invalid_request'],
      [415, 'unsupported_media'],
    ]);
    expect(keptFiles()).toEqual(before);
  });
});

describe('files', () => {
  const PAGE = Buffer.from('<script>alert(1)</script>');

  it('come back as they were, only as attachments that run nothing', async () => {
    const { status, body } = await upload(ann, PAGE, 'text/html; charset=utf-8');
    expect([status, body]).toEqual([
      ...[201, { mediaId: body.mediaId, size: PAGE.length, type: 'text/html' }],
    ]);
    const name = 'évil <b>.html';
    const sent = await send(ann, { kind: 'file', mediaId: body.mediaId, name });
    expect(sent.type).toBe('sent');
    const { headers, bytes } = await get(bob, `/v1/media/${body.mediaId}`);
    expect(bytes.equals(PAGE)).toBe(true);
    expect(
      ['content-type', 'content-disposition', 'x-content-type-options'].map((h) => headers.get(h)),
    ).toEqual(['application/octet-stream', 'attachment', 'nosniff']);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'; sandbox");
    expect((await bob.history(chat.id)).at(-1)?.content).toEqual({
      ...{ kind: 'file', mediaId: body.mediaId, name, type: 'text/html', size: PAGE.length },
    });
    expect(await statusOf(bob, `/v1/media/${body.mediaId}/thumbnail`)).toBe(404);
  });

  it('are uploaded in JSON without being parsed, and up to 50 MiB as a stream', async () => {
    const json = await upload(ann, Buffer.from('{"broken'), 'application/json');
    expect(json.body).toMatchObject({ size: 8, type: 'application/json' });
    const piece = Buffer.alloc(1024 * 1024, 'y');
    const pieces = (count: number, rest = 0) =>
      ReadableStream.from([
        ...Array<Buffer>(count).fill(piece),
        Buffer.alloc(rest),
      ]) as ReadableStream<Uint8Array>;
    const most = await upload(ann, pieces(50), 'application/zip');
    expect([most.status, most.body.size]).toEqual([201, 50 * 1024 * 1024]);
    expect((await upload(ann, pieces(50, 1), 'application/zip')).status).toBe(413);
  });

  it('answer ranges, entity tags and HEAD', async () => {
    const { body } = await upload(ann, Buffer.from('abcdefghij'), 'text/plain');
    const path = `/v1/media/${body.mediaId}`;
    const whole = await get(ann, path);
    const etag = whole.headers.get('etag')!;
    expect([whole.headers.get('accept-ranges'), whole.headers.get('cache-control')]).toEqual([
      ...['bytes', 'private, max-age=3600, immutable'],
    ]);
    const range = async (value: string, more: Record<string, string> = {}) => {
      const { status, headers, bytes } = await get(ann, path, {
        headers: { range: value, ...more },
      });
      return [status, headers.get('content-range'), status === 416 ? '' : bytes.toString()];
    };
    expect(await range('bytes=2-4')).toEqual([206, 'bytes 2-4/10', 'cde']);
    expect(await range('bytes=-2')).toEqual([206, 'bytes 8-9/10', 'ij']);
    expect(await range('bytes=8-100')).toEqual([206, 'bytes 8-9/10', 'ij']);
    expect(await range('bytes=10-')).toEqual([416, 'bytes */10', '']);
    expect(await range('bytes=2-4', { 'if-range': etag })).toEqual([206, 'bytes 2-4/10', 'cde']);
    expect(await range('bytes=2-4', { 'if-range': '"x"' })).toEqual([200, null, 'abcdefghij']);
    const same = await get(ann, path, { headers: { 'if-none-match': etag } });
    expect([same.status, same.bytes.length, same.headers.get('etag')]).toEqual([304, 0, etag]);
    const head = await get(ann, path, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), head.bytes.length]).toEqual([
      ...[200, '10', 0],
    ]);
  });
});

describe('who may', () => {
  it('only the uploader before it is sent, then the members; for others it does not exist', async () => {
    const { body } = await upload(ann, await PNG().toBuffer(), 'image/png');
    const paths = ['', '/thumbnail', '/url'].map((end) => `/v1/media/${body.mediaId}${end}`);
    const all = async (user: ChatUser) => Promise.all(paths.map((path) => statusOf(user, path)));
    expect([await all(ann), await all(bob), await all(eve)]).toEqual([
      ...[
        [200, 200, 200],
        [404, 404, 404],
        [404, 404, 404],
      ],
    ]);
    await send(ann, { kind: 'image', mediaId: body.mediaId });
    expect([await all(bob), await all(eve)]).toEqual([
      [200, 200, 200],
      [404, 404, 404],
    ]);
    const foreign = await eve.http('GET', `/v1/media/${body.mediaId}`);
    const unknown = await eve.http('GET', `/v1/media/${crypto.randomUUID()}`);
    expect({ ...foreign.body, requestId: '' }).toEqual({ ...unknown.body, requestId: '' });
    expect(foreign.body.code).toBe('media_not_found');
  });

  it('refuses to send what is foreign, unknown, of another chat or another kind', async () => {
    const own = (await upload(ann, await PNG().toBuffer(), 'image/png')).body.mediaId;
    const foreign = (await upload(bob, await PNG().toBuffer(), 'image/png')).body.mediaId;
    const other = await ann.direct(eve);
    const refused = async (...args: Parameters<typeof send>) => (await send(...args))['code'];
    expect([
      await refused(ann, { kind: 'image', mediaId: foreign }),
      await refused(ann, { kind: 'image', mediaId: crypto.randomUUID() }),
      await refused(ann, { kind: 'image', mediaId: own }, other.id),
      await refused(ann, { kind: 'file', mediaId: own, name: 'x' }),
      await refused(eve, { kind: 'image', mediaId: own }),
    ]).toEqual([...Array<string>(4).fill('media_not_found'), 'no_such_conversation']);
    expect((await send(ann, { kind: 'image', mediaId: own, width: 1 }))['code']).toBe(
      'invalid_frame',
    );
    expect((await send(ann, { kind: 'image', mediaId: own })).type).toBe('sent');
  });

  it('signs URLs that work without a token on any gateway, and end', async () => {
    const { body } = await upload(ann, await PNG().toBuffer(), 'image/png');
    const { url, thumbnailUrl, expiresAt } = (
      await ann.http<MediaUrlAnswer>('GET', `/v1/media/${body.mediaId}/url`)
    ).body;
    const left = Date.parse(expiresAt) - Date.now();
    expect(left > 0 && left <= URL_SECONDS * 1000).toBe(true);
    const seen = await get(null, url);
    const ageSeconds = Number(
      /^public, max-age=(\d+), immutable$/.exec(seen.headers.get('cache-control')!)![1],
    );
    expect([seen.status, ageSeconds > 0 && ageSeconds <= URL_SECONDS]).toEqual([200, true]);
    expect((await get(null, thumbnailUrl!)).headers.get('content-type')).toBe('image/webp');
    const elsewhere = new URL(url);
    elsewhere.port = new URL(stack.gatewayUrls[1]!).port;
    expect(await statusOf(null, elsewhere.href)).toBe(200);
    const forged = (change: (url: URL) => void) => {
      const copy = new URL(url);
      change(copy);
      return statusOf(null, copy.href);
    };
    expect([
      await forged((u) => u.searchParams.set('variant', 'thumbnail')),
      await forged((u) => u.searchParams.set('user', bob.id)),
      await forged((u) => u.searchParams.set('expires', '9999999999')),
      await forged((u) => u.searchParams.set('signature', 'A'.repeat(43))),
      await forged((u) => u.searchParams.delete('signature')),
    ]).toEqual([401, 401, 401, 401, 400]);
    await eventually(async () => expect(await statusOf(null, url)).toBe(401));
  });

  it('ends the URLs of who is no member any more', async () => {
    const carol = await ChatUser.create(stack.gatewayUrls);
    const group = { kind: 'group', requestId: uuidv7(), title: 'Friends', userIds: [carol.id] };
    const room = (await ann.http<Conversation>('POST', '/v1/conversations', group)).body;
    const { mediaId } = (
      await upload(ann, await PNG().toBuffer(), 'image/png', { conversationId: room.id })
    ).body;
    await send(ann, { kind: 'image', mediaId }, room.id);
    const { url } = (await carol.http<MediaUrlAnswer>('GET', `/v1/media/${mediaId}/url`)).body;
    expect(await statusOf(null, url)).toBe(200);
    const member = `/v1/conversations/${room.id}/members/${carol.id}`;
    expect((await ann.http('DELETE', member)).status).toBe(204);
    expect([await statusOf(null, url), await statusOf(carol, `/v1/media/${mediaId}`)]).toEqual([
      ...[404, 404],
    ]);
    expect(await statusOf(ann, `/v1/media/${mediaId}`)).toBe(200);
  });
});

describe('the SDK and the terminal client', () => {
  it('send an image and a file, show them, and save them', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'tidings-files-'));
    const [a, b] = await Promise.all([ann, bob].map(clientOf));
    try {
      const heard: Message[] = [];
      b!.on('message', ({ message, own }) => void (own || heard.push(message)));
      await Promise.all([a!, b!].map((client) => client.start()));
      await b!.whenSynced();
      heard.length = 0;
      writeFileSync(join(dir, 'photo.jpg'), await photo({ width: 60, height: 40, orientation: 6 }));
      writeFileSync(join(dir, 'notes.txt'), 'some notes');
      const files = new Files(a!);
      const image = await files.send({ to: bob.id }, join(dir, 'photo.jpg'), 'us');
      const file = await files.send({ conversationId: chat.id }, join(dir, 'notes.txt'));
      expect([(await image.settled()).state, (await file.settled()).state]).toEqual([
        'sent',
        'sent',
      ]);
      await eventually(() => expect(heard).toHaveLength(2));
      const shown = new Files(b!);
      const lines = heard.map((m) => contentText(m.content, false, shown.number(m)));
      expect(lines).toEqual([
        expect.stringMatching(/^\[image 40×60, .+ · \/save 1\] us$/),
        '[file notes.txt, 10 bytes · /save 2]',
      ]);
      const link = await shown.save(2, join(dir, 'notes.txt'));
      expect(link).toBe(pathToFileURL(join(dir, 'notes-2.txt')).href);
      expect(readFileSync(join(dir, 'notes-2.txt'), 'utf8')).toBe('some notes');
      await shown.save(1, join(dir, 'saved.jpg'));
      expect(await sharp(join(dir, 'saved.jpg')).metadata()).toMatchObject({
        width: 40,
        height: 60,
      });
      await expect(shown.save(3)).rejects.toThrow('No file');
      await expect(
        a!.sendImage({ conversationId: chat.id }, { data: Buffer.from('no image'), type: 'x/y' }),
      ).rejects.toMatchObject({ code: 'unsupported_media' });
    } finally {
      await Promise.all([a!, b!].map((client) => client.stop()));
      rmSync(dir, { recursive: true, force: true });
    }
  });

  async function clientOf(user: ChatUser): Promise<TidingsClient> {
    const client = nodeClient({ servers: user.bases });
    await client.login({ username: user.username, password: ChatUser.PASSWORD });
    return client;
  }
});

describe('the leader removes', () => {
  it('the bytes of deleted and expired messages, and nothing that another message shows', async () => {
    const made = await Promise.all(
      [0, 1, 2].map(
        async () => (await upload(ann, await PNG().toBuffer(), 'image/png')).body.mediaId,
      ),
    );
    const ids: string[] = [];
    for (const mediaId of [...made, made[2]]) {
      ids.push(String((await send(ann, { kind: 'image', mediaId }))['messageId']));
    }
    const stored = async () => {
      const { rows } = await sql.query('SELECT 1 FROM messages WHERE message_id = ANY($1)', [ids]);
      expect(rows).toHaveLength(ids.length);
    };
    await eventually(stored);
    const socket = await ann.connect();
    const change = { type: 'edit', messageId: ids[0], conversationId: chat.id };
    const content = { kind: 'image', mediaId: made[2] };
    const [edit, deletion] = [uuidv7(), uuidv7()];
    socket.send({ ...change, changeId: edit, content });
    const refused = await socket.find((f) => f.type === 'error' && f['ref'] === edit);
    expect(refused['code']).toBe('not_allowed');
    socket.send({ ...change, type: 'delete', changeId: deletion });
    await socket.find((f) => f.type === 'changed' && f['changeId'] === deletion);
    await socket.end();
    await sql.query(
      'UPDATE messages SET expires_at = now() WHERE conversation_id = $1 AND message_id = ANY($2)',
      [chat.id, [ids[1], ids[2]]],
    );
    const left = () => made.map((id) => keptFiles().filter((name) => name.startsWith(id)).length);
    await eventually(() => expect(left()).toEqual([0, 0, 2]));
    expect(await Promise.all(made.map((id) => statusOf(bob, `/v1/media/${id}`)))).toEqual([
      ...[404, 404, 200],
    ]);
  });

  it('uploads that no message came to show', async () => {
    await stack.node('storage-1').restart({ MEDIA_ORPHAN_SECONDS: '1' });
    const png = await PNG().toBuffer();
    const { mediaId } = (
      await eventually(async () => {
        const answer = await upload(ann, png, 'image/png');
        expect(answer.status).toBe(201);
        return answer;
      })
    ).body;
    const files = () => keptFiles().filter((name) => name.startsWith(mediaId));
    await eventually(() => expect(files()).toEqual([]), 15_000);
    await eventually(async () => expect(await statusOf(ann, `/v1/media/${mediaId}`)).toBe(404));
    expect((await send(ann, { kind: 'image', mediaId }))['code']).toBe('media_not_found');
    const { rows } = await sql.query('SELECT 1 FROM media WHERE id = $1', [mediaId]);
    expect(rows).toEqual([]);
  }, 60_000);
});
