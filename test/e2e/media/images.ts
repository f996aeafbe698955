import sharp from 'sharp';
import { uuidv7 } from 'uuidv7';
import { photo } from '../../support/pictures';
import { sendAndWait } from '../../support/talk';
import { smallPng, upload } from '../../support/uploads';
import { get, type Given, send } from './media-support';

/** What becomes of an image on its way. */
export function imageTests(given: () => Given): void {
  it('go from one gateway to the other, upright, without EXIF and position', async () => {
    const { ann, bob, chat } = given();
    const jpeg = await photo({ width: 800, height: 600, orientation: 6 });
    expect(['Exif', 'Tidings Camera'].map((text) => jpeg.includes(text))).toEqual([true, true]);
    const made = await upload(ann, chat.id, jpeg, 'image/jpeg');
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
    const sent = await send(ann, chat.id, { kind: 'image', mediaId, caption: 'look' });
    expect(sent.type).toBe('sent');
    const pushed = await b.find(
      (f) => f.type === 'message' && f['messageId'] === sent['messageId'],
    );
    const full = { type: 'image/jpeg', size, width: 600, height: 800 };
    expect(pushed['content']).toEqual({ kind: 'image', mediaId, caption: 'look', ...full });
    const seen = await get(bob, `/v1/media/${mediaId}`);
    expect([seen.status, seen.headers.get('content-type'), seen.bytes.length]).toEqual([
      200,
      'image/jpeg',
      size,
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

  it('come to every device of both people, and each of them gets the bytes', async () => {
    const { ann, bob, chat } = given();
    const devices = [ann, await ann.onNewDevice(), bob, await bob.onNewDevice()];
    const sockets = await Promise.all(
      devices.map((one, n) => one.connect(`gateway-${(n % 2) + 1}`)),
    );
    const { mediaId } = (await upload(devices[1]!, chat.id, await smallPng(), 'image/png')).body;
    const sent = await sendAndWait(sockets[0]!, {
      type: 'send',
      messageId: uuidv7(),
      conversationId: chat.id,
      content: { kind: 'image', mediaId },
    });
    expect(sent.type).toBe('sent');
    const copies: Buffer[] = [];
    for (const [n, device] of devices.entries()) {
      const pushed = await sockets[n]!.find(
        (f) => f['messageId'] === sent['messageId'] && f.type === 'message',
      );
      expect(pushed['content']).toMatchObject({ kind: 'image', mediaId, width: 9, height: 5 });
      const { status, bytes } = await get(device, `/v1/media/${mediaId}`);
      expect(status).toBe(200);
      copies.push(bytes);
    }
    expect((await sharp(copies[0]!).metadata()).format).toBe('png');
    for (const copy of copies) expect(copy.equals(copies[0]!)).toBe(true);
    await Promise.all(sockets.map((socket) => socket.end()));
  });

  it('can be sent over HTTP, again with the same answer, and shown in a list', async () => {
    const { ann, bob, chat } = given();
    const { body } = await upload(ann, chat.id, await smallPng(), 'image/png');
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
    const { ann, chat } = given();
    const page = '<html><script>alert(1)</script></html>';
    const picture = await smallPng();
    const plain = await sharp(picture).jpeg().toBuffer();
    const polyglot = await upload(
      ann,
      chat.id,
      Buffer.concat([plain, Buffer.from(page)]),
      'image/jpeg',
    );
    const gif = await sharp(picture).gif().toBuffer();
    const comment = Buffer.concat([
      gif.subarray(0, -1),
      Buffer.from(`\x21\xfe${String.fromCharCode(page.length)}${page}\0;`, 'latin1'),
    ]);
    const script = await upload(ann, chat.id, comment, 'text/html');
    for (const { status, body } of [polyglot, script]) {
      expect(status).toBe(201);
      const { headers, bytes } = await get(ann, `/v1/media/${body.mediaId}`);
      expect([headers.get('content-type'), headers.get('x-content-type-options')]).toEqual([
        body.type,
        'nosniff',
      ]);
      expect(bytes.includes('script')).toBe(false);
    }
    expect(script.body.type).toBe('image/gif');
  });
}
