import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import type { Message, TidingsClient } from '@tidings/sdk';
import { nodeClient } from '@tidings/sdk/node';
import { Files } from '../../../clients/cli/src/files';
import { contentText } from '../../../clients/cli/src/message-lines';
import { ChatUser } from '../../support/chat-user';
import { eventually } from '../../support/eventually';
import { photo } from '../../support/pictures';
import type { Given } from './media-support';

/** Uploads as the SDK and the terminal client send and show them. */
export function clientTests(given: () => Given): void {
  it('send an image and a file, show them, and save them', async () => {
    const { ann, bob, chat } = given();
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
      const image = await files.send({ to: bob.id }, join(dir, 'photo.jpg'), { caption: 'us' });
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
}
