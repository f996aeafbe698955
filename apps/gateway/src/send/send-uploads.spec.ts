import { fakeConnection } from '../testing/fake-connection';
import { NOW, send, setUp, TO } from '../testing/send-rig';
import { contentHashOf } from '@tidings/common/log-records/message-record';

describe('a send that shows an upload', () => {
  const image = { kind: 'image', mediaId: TO, caption: 'look' } as const;

  it('is appended with what storage knows of it', async () => {
    const { handle, writer, answers } = setUp();
    await handle(send(1, { content: image }));
    writer.flush();
    expect(answers()).toEqual(['01 sent']);
    const { content } = JSON.parse(String(writer.appends[0]!.record.value)) as Record<
      string,
      unknown
    >;
    expect(content).toEqual({ ...image, type: 'image/png', size: 7, width: 3, height: 2 });
  });

  it.each(['media_not_found', 'unavailable'] as const)('is refused with %s', async (media) => {
    const { handle, writer, answers, connection } = setUp({ media });
    await handle(send(1, { content: image }));
    expect([answers(), writer.appends]).toEqual([[`01 ${media}`], []]);
    expect(connection.unanswered).toBe(0);
  });

  it.each([
    ['is unknown here', send(1, { content: image })],
    ['may have been sent before', send(1, { content: image, retry: true })],
  ])('takes no upload of who is blocked, when it %s', async (_, frame) => {
    const { handle, writer, answers, completed } = setUp({ known: false, membership: 'blocked' });
    await handle(frame);
    expect([answers(), writer.appends, completed]).toEqual([['01 blocked'], [], []]);
  });

  it('is answered by what its id was first, without a look at the upload', async () => {
    const senderId = fakeConnection().connection.userId;
    const contentHash = contentHashOf(image);
    const first = { position: '9', sentAt: new Date(NOW).toISOString(), expiresAt: null, senderId };
    const { handle, writer, answers, completed } = setUp({
      known: false,
      membership: 'blocked',
      first: { ...first, contentHash },
    });
    await handle(send(1, { content: image, retry: true }));
    expect([answers(), writer.appends, completed]).toEqual([['01 sent'], [], []]);
  });

  it('joins the same id that came by another way meanwhile', async () => {
    const { handle, writer, answers } = setUp();
    await Promise.all([handle(send(1, { content: image })), handle(send(1, { content: image }))]);
    writer.flush();
    expect([answers(), writer.appends.length]).toEqual([['01 sent', '01 sent'], 1]);
  });
});
