import { uuidv7 } from 'uuidv7';
import type { Conversation, MediaUrlAnswer } from '@tidings/protocol/http';
import { ChatUser } from '../../support/chat-user';
import { eventually } from '../../support/eventually';
import { smallPng, upload } from '../../support/uploads';
import { get, type Given, send, statusOf, URL_SECONDS } from './media-support';

/** Who sees an upload, and who may send it. */
export function accessTests(given: () => Given): void {
  it('only the uploader before it is sent, then the members; for others it does not exist', async () => {
    const { ann, bob, eve, chat } = given();
    const { body } = await upload(ann, chat.id, await smallPng(), 'image/png');
    const paths = ['', '/thumbnail', '/url'].map((end) => `/v1/media/${body.mediaId}${end}`);
    const all = async (user: ChatUser) => Promise.all(paths.map((path) => statusOf(user, path)));
    expect([await all(ann), await all(bob), await all(eve)]).toEqual([
      [200, 200, 200],
      [404, 404, 404],
      [404, 404, 404],
    ]);
    await send(ann, chat.id, { kind: 'image', mediaId: body.mediaId });
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
    const { ann, bob, eve, chat } = given();
    const own = (await upload(ann, chat.id, await smallPng(), 'image/png')).body.mediaId;
    const foreign = (await upload(bob, chat.id, await smallPng(), 'image/png')).body.mediaId;
    const other = await ann.direct(eve);
    const refused = async (...args: Parameters<typeof send>) => (await send(...args))['code'];
    expect([
      await refused(ann, chat.id, { kind: 'image', mediaId: foreign }),
      await refused(ann, chat.id, { kind: 'image', mediaId: crypto.randomUUID() }),
      await refused(ann, other.id, { kind: 'image', mediaId: own }),
      await refused(ann, chat.id, { kind: 'file', mediaId: own, name: 'x' }),
      await refused(eve, chat.id, { kind: 'image', mediaId: own }),
    ]).toEqual([...Array<string>(4).fill('media_not_found'), 'no_such_conversation']);
    expect((await send(ann, chat.id, { kind: 'image', mediaId: own, width: 1 }))['code']).toBe(
      'invalid_frame',
    );
    expect((await send(ann, chat.id, { kind: 'image', mediaId: own })).type).toBe('sent');
  });

  it('signs URLs that work without a token on any gateway, and end', async () => {
    const { stack, ann, bob, chat } = given();
    const { body } = await upload(ann, chat.id, await smallPng(), 'image/png');
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
    const { stack, ann } = given();
    const carol = await ChatUser.create(stack.gatewayUrls);
    const group = { kind: 'group', requestId: uuidv7(), title: 'Friends', userIds: [carol.id] };
    const room = (await ann.http<Conversation>('POST', '/v1/conversations', group)).body;
    const { mediaId } = (await upload(ann, room.id, await smallPng(), 'image/png')).body;
    await send(ann, room.id, { kind: 'image', mediaId });
    const { url } = (await carol.http<MediaUrlAnswer>('GET', `/v1/media/${mediaId}/url`)).body;
    expect(await statusOf(null, url)).toBe(200);
    const member = `/v1/conversations/${room.id}/members/${carol.id}`;
    expect((await ann.http('DELETE', member)).status).toBe(204);
    expect([await statusOf(null, url), await statusOf(carol, `/v1/media/${mediaId}`)]).toEqual([
      404, 404,
    ]);
    expect(await statusOf(ann, `/v1/media/${mediaId}`)).toBe(200);
  });
}
