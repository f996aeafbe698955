import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { uuidv7 } from 'uuidv7';
import type { MediaUrlAnswer } from '@tidings/protocol/http';
import { S3_BUCKET, startS3Server } from '../../tools/stack/s3-server';
import type { ServerHandle } from '../../tools/stack/server-handle';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { sendAndWait } from '../support/talk';
import { startTestStack } from '../support/test-stack';
import { filesBelow, smallPng, upload } from '../support/uploads';
import { get, send } from './media/media-support';

/** Chunks of an upload that is one object of several parts in the bucket. */
const LARGE_BYTES = 12_000_000;

describe('media in a bucket, through the gateways', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tidings-s3-'));
  let server: ServerHandle;
  let stack: Stack;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    server = await startS3Server({ dir });
    ({ stack, stop } = await startTestStack({
      env: {
        MEDIA_S3_BUCKET: S3_BUCKET,
        MEDIA_S3_ENDPOINT: server.url,
        MEDIA_S3_ACCESS_KEY_ID: 'test',
        MEDIA_S3_SECRET_ACCESS_KEY: 'test',
        MEDIA_SWEEP_SECONDS: '0.3',
      },
    }));
  }, 240_000);
  afterAll(async () => {
    await stop?.();
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Objects in the bucket, in bytes; the server keeps each one as a file with this name. */
  const objects = (): number =>
    filesBelow(join(dir, 's3', S3_BUCKET)).filter((path) => path.endsWith('binaryData')).length;

  it('go in at one gateway and come out at the other: whole, in parts, by signed URLs; and end', async () => {
    const ann = await ChatUser.create(stack.gatewayUrls, { at: 0 });
    const bob = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    const eve = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    const { id } = await ann.direct(bob);
    const before = objects();

    const picture = (await upload(ann, id, await smallPng())).body;
    const large = Buffer.alloc(LARGE_BYTES, 'tidings ');
    const file = (await upload(ann, id, large, 'application/zip')).body;
    expect(file.size).toBe(LARGE_BYTES);
    // the picture, its thumbnail and the file; nothing on the gateways' disks
    expect(objects() - before).toBe(3);
    expect(filesBelow(join(stack.dir, 'media'))).toEqual([]);

    const shown = await send(ann, id, { kind: 'image', mediaId: picture.mediaId });
    await send(ann, id, { kind: 'file', mediaId: file.mediaId, name: 'all.zip' });
    const path = `/v1/media/${file.mediaId}`;
    await eventually(async () => {
      const whole = await get(bob, path);
      expect([whole.status, whole.bytes.equals(large)]).toEqual([200, true]);
    });
    const part = await get(bob, path, { headers: { range: 'bytes=11-17' } });
    expect([part.status, part.bytes.toString()]).toEqual([206, 'ings ti']);
    const thumbnail = await get(bob, `/v1/media/${picture.mediaId}/thumbnail`);
    expect((await sharp(thumbnail.bytes).metadata()).format).toBe('webp');
    const { url } = (await bob.http<MediaUrlAnswer>('GET', `${path}/url`)).body;
    expect((await get(null, url)).bytes.equals(large)).toBe(true);
    expect((await get(eve, path)).status).toBe(404);

    const socket = await ann.connect();
    const changeId = uuidv7();
    socket.send({ type: 'delete', changeId, messageId: shown['messageId'], conversationId: id });
    await socket.find((f) => f.type === 'changed' && f['changeId'] === changeId);
    await eventually(() => expect(objects() - before).toBe(1));
    expect((await get(bob, `/v1/media/${picture.mediaId}`)).status).toBe(404);
    await socket.end();
  });

  it('are answered as away while the bucket is, chat goes on, and they are back with it', async () => {
    const ann = await ChatUser.create(stack.gatewayUrls);
    const bob = await ChatUser.create(stack.gatewayUrls);
    const { id } = await ann.direct(bob);
    const [a, b] = [await ann.connect('gateway-1'), await bob.connect('gateway-2')];
    const { mediaId } = (await upload(ann, id, await smallPng())).body;
    await server.stop();
    const refused = await upload(ann, id, await smallPng('blue'));
    expect([refused.status, refused.body.code]).toEqual([503, 'unavailable']);
    expect((await get(ann, `/v1/media/${mediaId}`)).status).toBe(503);
    const text = { kind: 'text', text: 'no pictures now' };
    const messageId = uuidv7();
    const sent = await sendAndWait(a, {
      type: 'send',
      messageId,
      conversationId: id,
      content: text,
    });
    expect(sent.type).toBe('sent');
    await b.find((f) => f.type === 'message' && f['messageId'] === messageId);
    await server.restart();
    await eventually(async () => {
      expect((await upload(ann, id, await smallPng('blue'))).status).toBe(201);
    }, 30_000);
    await Promise.all([a.end(), b.end()]);
  });
});
