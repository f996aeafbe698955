import { uuidv7 } from 'uuidv7';
import { eventually } from '../../support/eventually';
import { smallPng, upload } from '../../support/uploads';
import { type Given, keptFiles, send, statusOf } from './media-support';

/** What the sweeps remove. The last of them restarts storage with other settings. */
export function removalTests(given: () => Given): void {
  it('the bytes of deleted and expired messages, and nothing that another message shows', async () => {
    const { stack, sql, ann, bob, chat } = given();
    const made = await Promise.all(
      [0, 1, 2].map(
        async () => (await upload(ann, chat.id, await smallPng(), 'image/png')).body.mediaId,
      ),
    );
    const ids: string[] = [];
    for (const mediaId of [...made, made[2]]) {
      ids.push(String((await send(ann, chat.id, { kind: 'image', mediaId }))['messageId']));
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
    const left = () =>
      made.map((id) => keptFiles(stack).filter((name) => name.startsWith(id)).length);
    await eventually(() => expect(left()).toEqual([0, 0, 2]));
    expect(await Promise.all(made.map((id) => statusOf(bob, `/v1/media/${id}`)))).toEqual([
      404, 404, 200,
    ]);
  });

  it('uploads that no message came to show', async () => {
    const { stack, sql, ann, chat } = given();
    await stack.node('storage-1').restart({ MEDIA_ORPHAN_SECONDS: '1' });
    const png = await smallPng();
    const { mediaId } = (
      await eventually(async () => {
        const answer = await upload(ann, chat.id, png, 'image/png');
        expect(answer.status).toBe(201);
        return answer;
      })
    ).body;
    const files = () => keptFiles(stack).filter((name) => name.startsWith(mediaId));
    await eventually(() => expect(files()).toEqual([]), 15_000);
    await eventually(async () => expect(await statusOf(ann, `/v1/media/${mediaId}`)).toBe(404));
    expect((await send(ann, chat.id, { kind: 'image', mediaId }))['code']).toBe('media_not_found');
    const { rows } = await sql.query('SELECT 1 FROM media WHERE id = $1', [mediaId]);
    expect(rows).toEqual([]);
  });
}
