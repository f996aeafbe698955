import { upload } from '../../support/uploads';
import { get, type Given, send, statusOf } from './media-support';

/** Files that are no images. */
export function fileTests(given: () => Given): void {
  const PAGE = Buffer.from('<script>alert(1)</script>');

  it('come back as they were, only as attachments that run nothing', async () => {
    const { ann, bob, chat } = given();
    const { status, body } = await upload(ann, chat.id, PAGE, 'text/html; charset=utf-8');
    expect([status, body]).toEqual([
      201,
      { mediaId: body.mediaId, size: PAGE.length, type: 'text/html' },
    ]);
    const name = 'évil <b>.html';
    const sent = await send(ann, chat.id, { kind: 'file', mediaId: body.mediaId, name });
    expect(sent.type).toBe('sent');
    const { headers, bytes } = await get(bob, `/v1/media/${body.mediaId}`);
    expect(bytes.equals(PAGE)).toBe(true);
    expect(
      ['content-type', 'content-disposition', 'x-content-type-options'].map((h) => headers.get(h)),
    ).toEqual(['application/octet-stream', 'attachment', 'nosniff']);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'; sandbox");
    expect((await bob.history(chat.id)).at(-1)?.content).toEqual({
      kind: 'file',
      mediaId: body.mediaId,
      name,
      type: 'text/html',
      size: PAGE.length,
    });
    expect(await statusOf(bob, `/v1/media/${body.mediaId}/thumbnail`)).toBe(404);
  });

  it('are uploaded in JSON without being parsed, and up to 50 MiB as a stream', async () => {
    const { ann, chat } = given();
    const json = await upload(ann, chat.id, Buffer.from('{"broken'), 'application/json');
    expect(json.body).toMatchObject({ size: 8, type: 'application/json' });
    const piece = Buffer.alloc(1024 * 1024, 'y');
    const pieces = (count: number, rest = 0) =>
      ReadableStream.from([
        ...Array<Buffer>(count).fill(piece),
        Buffer.alloc(rest),
      ]) as ReadableStream<Uint8Array>;
    const most = await upload(ann, chat.id, pieces(50), 'application/zip');
    expect([most.status, most.body.size]).toEqual([201, 50 * 1024 * 1024]);
    expect((await upload(ann, chat.id, pieces(50, 1), 'application/zip')).status).toBe(413);
  });

  it('answer ranges, entity tags and HEAD', async () => {
    const { ann, chat } = given();
    const { body } = await upload(ann, chat.id, Buffer.from('abcdefghij'), 'text/plain');
    const path = `/v1/media/${body.mediaId}`;
    const whole = await get(ann, path);
    const etag = whole.headers.get('etag')!;
    expect([whole.headers.get('accept-ranges'), whole.headers.get('cache-control')]).toEqual([
      'bytes',
      'private, max-age=3600, immutable',
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
      200,
      '10',
      0,
    ]);
  });
}
