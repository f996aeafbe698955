import { uuidv7 } from 'uuidv7';
import type { Conversation, Member, Page } from '@tidings/protocol/http';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { LeftBehind } from '../support/left-behind';
import { addTo, change, makeGroup, removeFrom, say, sendAndWait } from '../support/talk';
import { startTestStack } from '../support/test-stack';
import type { Frame, TestSocket } from '../support/test-socket';
import { smallPng, upload } from '../support/uploads';

/**
 * What people should not do with conversations: each has its typed error and leaves no row, no
 * record and no file. (Broken frames and bodies: bad-input; uploads: misuse-media.)
 */
describe('misuse of conversations', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let left: LeftBehind;
  let ann: ChatUser;
  let bob: ChatUser;
  /** Blocks ann. */
  let ivy: ChatUser;
  let direct: Conversation;
  let groupId: string;
  let a: TestSocket;
  let mine: { conversationId: string; messageId: string; position: string };
  let shown: typeof mine;
  /** An upload of bob's for the same conversation. */
  let foreign: string;
  let own: string;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    left = await LeftBehind.of(stack);
    [ann, bob, ivy] = (await Promise.all(
      [0, 1, 0].map((at) => ChatUser.create(stack.gatewayUrls, { at })),
    )) as [ChatUser, ChatUser, ChatUser];
    direct = await ann.direct(bob);
    groupId = await makeGroup(ann, [bob]);
    a = await ann.connect('gateway-1');
    await ivy.http('PUT', `/v1/blocks/${ann.id}`);
    const media = async (user: ChatUser, id: string) =>
      (await upload(user, id, await smallPng())).body.mediaId;
    own = await media(ann, direct.id);
    foreign = await media(bob, direct.id);
    mine = (await say(a, direct.id, 'mine')) as unknown as typeof mine;
    shown = (await image(own)) as unknown as typeof mine;
    await left.rest();
  }, 240_000);
  afterAll(async () => {
    await left?.close();
    await stop?.();
  });

  const image = (mediaId: string, conversationId = direct.id): Promise<Frame> =>
    sendAndWait(a, {
      type: 'send',
      messageId: uuidv7(),
      conversationId,
      content: { kind: 'image', mediaId },
    });
  const put = (content: object, conversationId = direct.id) =>
    ann.http('PUT', `/v1/conversations/${conversationId}/messages/${uuidv7()}`, { content });
  const codeOf = (answer: Frame | { body: { code?: string } }): unknown =>
    'body' in answer ? (answer.body as { code?: string }).code : answer['code'];
  const group = (userIds: string[]) =>
    ann.http('POST', '/v1/conversations', {
      kind: 'group',
      requestId: uuidv7(),
      title: 'Come',
      userIds,
    });
  const mark = async (position: string): Promise<Frame> => {
    const from = a.frames.length;
    a.send({ type: 'read', conversationId: direct.id, position });
    return a.find((f) => f.type === 'error' && a.frames.indexOf(f) >= from);
  };

  it.each<[string, () => Promise<Frame | { body: { code?: string } }>, string]>([
    ['an image of somebody else', () => image(foreign), 'media_not_found'],
    [
      'over HTTP: an image of somebody else',
      () => put({ kind: 'image', mediaId: foreign }),
      'media_not_found',
    ],
    [
      'over HTTP: an unknown image',
      () => put({ kind: 'image', mediaId: uuidv7() }),
      'media_not_found',
    ],
    [
      'over HTTP: an image as a file',
      () => put({ kind: 'file', mediaId: own, name: 'x' }),
      'media_not_found',
    ],
    [
      'a text edited to a foreign image',
      () => change(a, mine, { kind: 'image', mediaId: foreign }),
      'not_allowed',
    ],
    [
      'a text edited to an own image',
      () => change(a, mine, { kind: 'image', mediaId: own }),
      'not_allowed',
    ],
    [
      'an image edited to a foreign one',
      () => change(a, shown, { kind: 'image', mediaId: foreign }),
      'not_allowed',
    ],
    [
      'an image edited to a text',
      () => change(a, shown, { kind: 'text', text: 'x' }),
      'not_allowed',
    ],
    ['a receipt beyond everything', () => mark('9223372036854775807'), 'invalid_request'],
    [
      'a receipt beyond the end',
      () => mark(String(BigInt(shown.position) + 1_000n)),
      'invalid_request',
    ],
    ['a group with a stranger who blocks one', () => group([bob.id, ivy.id]), 'blocked'],
    ['a group with a stranger who blocks one, alone', () => group([ivy.id]), 'blocked'],
    ['a stranger who blocks one, added', () => addTo(ann, groupId, ivy), 'blocked'],
    [
      'several added, one of whom blocks',
      () => addTo(ann, groupId, { id: uuidv7() }, ivy),
      'not_found',
    ],
    [
      'a direct conversation with who blocks one',
      () => ann.http('POST', '/v1/conversations', { kind: 'direct', userIds: [ivy.id] }),
      'blocked',
    ],
    [
      'a message to who blocks one',
      () =>
        sendAndWait(a, {
          type: 'send',
          messageId: uuidv7(),
          to: ivy.id,
          content: { kind: 'text', text: 'x' },
        }),
      'blocked',
    ],
    ['a group with somebody who does not exist', () => group([bob.id, uuidv7()]), 'not_found'],
    ['one of two removed', () => removeFrom(ann, direct.id, bob), 'not_allowed'],
    ['two left by one', () => removeFrom(ann, direct.id, ann), 'not_allowed'],
  ])('%s is refused and leaves nothing behind', async (_what, act, code) => {
    expect(codeOf(await act())).toBe(code);
    expect(await left.look()).toEqual(left.before);
  });

  it('nothing of all this comes later', async () => {
    const { before } = left;
    expect(await left.rest()).toEqual(before);
  });

  it('a receipt that goes backwards changes nothing', async () => {
    const path = `/v1/conversations/${direct.id}/receipts`;
    const marks = async () => (await ann.http<Page<Member>>('GET', path)).body;
    expect((await bob.http('PUT', path, { read: shown.position })).status).toBe(200);
    const before = await eventually(async () => {
      const found = await marks();
      const far = found.items.find((m) => m.userId === bob.id);
      expect(far).toMatchObject({ delivered: shown.position, read: shown.position });
      return found;
    });
    for (const back of [{ read: '0' }, { delivered: mine.position }, { read: mine.position }]) {
      expect((await bob.http('PUT', path, back)).status).toBe(200);
    }
    // a later mark comes after those in the log
    expect((await ann.http('PUT', path, { read: shown.position })).status).toBe(200);
    await eventually(async () => {
      const found = await marks();
      expect(found.items.find((m) => m.userId === ann.id)).toMatchObject({ read: shown.position });
      const others = (p: Page<Member>) => p.items.filter((m) => m.userId !== ann.id);
      expect(others(found)).toEqual(others(before));
    });
  });

  it('of two admins who remove each other at once, on two gateways, one goes', async () => {
    for (let round = 0; round < 5; round++) {
      const pair = (await Promise.all(
        [0, 1].map((at) => ChatUser.create(stack.gatewayUrls, { at })),
      )) as [ChatUser, ChatUser];
      const id = await makeGroup(ann, pair);
      for (const { id: userId } of pair) {
        const path = `/v1/conversations/${id}/members/${userId}`;
        expect((await ann.http('PATCH', path, { role: 'admin' })).status).toBe(200);
      }
      const [one, other] = pair;
      const answers = await Promise.all([removeFrom(one, id, other), removeFrom(other, id, one)]);
      expect(answers.map((x) => x.status).sort()).toEqual([204, 404]);
      const loser = answers[0].status === 404 ? one : other;
      const lost = answers.find((x) => x.status === 404)!;
      expect(lost.body.code).toBe('no_such_conversation');
      const members = await ann.http<Page<Member>>('GET', `/v1/conversations/${id}/members`);
      expect(members.body.items.map((m) => m.userId).sort()).toEqual(
        [ann.id, (loser === one ? other : one).id].sort(),
      );
      const removals = (await ann.history(id)).filter(
        ({ content }) => content.kind === 'event' && content.event.kind === 'removed',
      );
      expect(removals).toMatchObject([{ content: { event: { userIds: [loser.id] } } }]);
    }
  });
});
