import type { Conversation } from '@tidings/protocol/http';
import { eventually } from '../../support/eventually';
import { Holding } from '../../support/holding';
import { addTo, makeGroup, removeFrom, say } from '../../support/talk';
import type { Frame } from '../../support/test-socket';
import { framesOf, type Given, shown, told } from './group-support';

/** The documented grace after a removal, and what a busy machine may add to noticing it. */
const GRACE_MS = 1_000;

/** What members see who are added, removed and added again. */
export function membershipTests(given: () => Given): void {
  it.each([
    ['joined', ['added', 'after']],
    ['all', ['created', 'before', 'added', 'after']],
  ])('who is added with history %s sees %j', async (history, expected) => {
    const { ann, bob, carol } = given();
    const id = await makeGroup(ann, [bob], { history });
    const a = await ann.connect('gateway-1');
    const c = await carol.connect('gateway-2');
    const holding = new Holding();
    await holding.sync(c);
    await say(a, id, 'before');
    const added = await addTo(ann, id, carol);
    expect(added.body).toMatchObject({ memberCount: 3 });
    await say(a, id, 'after');
    await c.find((f) => f.type === 'message' && f['conversationId'] === id);
    expect(framesOf(c, id).map((f) => f.type)).toEqual(['conversation', 'message']);
    expect(framesOf(c, id)[0]).toMatchObject({ position: added.body.position });
    expect(shown(await carol.history(id))).toEqual(expected);
    const view = await carol.http<Conversation>('GET', `/v1/conversations/${id}`);
    expect(view.body).toMatchObject({ unread: expected.includes('before') ? 2 : 1 });
    const seen: Frame[] = [];
    c.onFrame = (frame) => {
      seen.push(frame);
      holding.take(frame);
    };
    await holding.sync(c);
    const synced = seen
      .flatMap((f) => (f['conversations'] ?? []) as { conversationId: string; state: string }[])
      .find((s) => s.conversationId === id);
    expect(synced).toMatchObject({ state: 'new', more: false });
    expect(holding.texts(id).filter((text) => text !== '')).toEqual(
      expected.filter((x) => x === 'before' || x === 'after'),
    );
    await Promise.all([a.end(), c.end()]);
  });

  it('a removed member sees the removal and nothing after, sends nothing, and may come back', async () => {
    const { ann, bob, carol } = given();
    const id = await makeGroup(ann, [bob, carol]);
    const a = await ann.connect('gateway-1');
    const b = await bob.connect('gateway-2');
    const c = await carol.connect('gateway-2');
    const holding = new Holding();
    await holding.sync(c);
    await say(c, id, 'carol was here');
    const admitted: { at: number; sent: boolean }[] = [];
    let removing = true;
    const sending = (async () => {
      for (let n = 0; removing || n < 3; n++) {
        const at = performance.now();
        const answer = await say(c, id, `carol ${n}`);
        admitted.push({ at, sent: answer.type === 'sent' });
        if (answer.type === 'error') expect(answer['code']).toBe('no_such_conversation');
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    })();
    expect((await removeFrom(ann, id, carol)).status).toBe(204);
    const removedAt = performance.now();
    const removal = await told(c, id, 'removed');
    for (const text of ['one', 'two', 'three']) await say(a, id, text);
    await eventually(() => expect(admitted.at(-1)?.sent).toBe(false));
    removing = false;
    await sending;
    const late = admitted.filter((s) => s.sent && s.at > removedAt + GRACE_MS);
    expect(late).toEqual([]);
    await b.find((f) => (f['content'] as { text?: string } | undefined)?.text === 'three');
    await say(a, await ann.direct(carol).then((d) => d.id), 'elsewhere');
    await c.find((f) => (f['content'] as { text?: string } | undefined)?.text === 'elsewhere');
    expect(framesOf(c, id).at(-1)).toEqual(removal);
    expect((await carol.http('GET', `/v1/conversations/${id}`)).status).toBe(404);
    const states = async (): Promise<unknown> => {
      const seen: Frame[] = [];
      c.onFrame = (frame) => seen.push(frame);
      holding.conversations.clear();
      await holding.sync(c);
      return seen
        .flatMap((f) => (f['conversations'] ?? []) as { conversationId: string; state: string }[])
        .filter((s) => s.conversationId === id)
        .map((s) => s.state);
    };
    expect(await states()).toEqual(['gone']);
    const back = await addTo(ann, id, carol);
    expect(await states()).toEqual(['new']);
    await say(a, id, 'welcome back');
    expect(shown(await carol.history(id))).toEqual(['added', 'welcome back']);
    const view = await carol.http<Conversation>('GET', `/v1/conversations/${id}`);
    expect(view.body.visibleFrom).toBe(String(BigInt(back.body.position!) - 1n));
    await Promise.all([a.end(), b.end(), c.end()]);
  });

  it('what lay before joining stays invisible when session and storage begin anew', async () => {
    const { stack, ann, bob, carol, dave } = given();
    const id = await makeGroup(ann, [bob]);
    const a = await ann.connect('gateway-1');
    await say(a, id, 'before');
    await addTo(ann, id, dave);
    const d = await dave.connect('gateway-2');
    const gone = await carol.connect('gateway-1');
    await addTo(ann, id, carol);
    await removeFrom(ann, id, carol);
    await Promise.all([stack.node('session-1').restart(), stack.node('storage-1').restart()]);
    await say(a, id, 'after');
    await d.find((f) => (f['content'] as { text?: string } | undefined)?.text === 'after');
    expect(shown(await dave.history(id))).toEqual(['added', 'added', 'removed', 'after']);
    expect(framesOf(gone, id).some((f) => f.type === 'message')).toBe(false);
    await Promise.all([a.end(), d.end(), gone.end()]);
  });
}
