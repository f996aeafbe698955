import { eventually } from '../support/eventually';
import { messageOf, StorageFixture } from './storage-support';

/** Enough for every partition to need many statements. */
const MESSAGES = 20_000;
const CONVERSATIONS = 250;

describe('storage: a backlog', () => {
  let fixture: StorageFixture;

  beforeAll(async () => {
    fixture = await StorageFixture.start();
  }, 240_000);

  afterAll(() => fixture?.stop());

  it('is stored in full, in order, without a gap in the progress', async () => {
    const messages = Array.from({ length: MESSAGES }, (_, i) =>
      messageOf(`conversation-${i % CONVERSATIONS}`, SENDER, `${i} `.padEnd(128, 'x')),
    );
    for (let from = 0; from < MESSAGES; from += 4_000) {
      await fixture.append(messages.slice(from, from + 4_000));
    }
    await fixture.storage('storage-1');
    await eventually(async () => {
      const [row] = await fixture.rows<{ n: string }>('SELECT sum(next) AS n FROM log_progress');
      expect(Number(row!.n)).toBe(MESSAGES);
    }, 60_000);
    const [row] = await fixture.rows<{ n: string; wrong: string }>(
      `SELECT count(*) AS n, count(*) FILTER (WHERE split_part(content::json->>'text', ' ', 1)::int
         <= previous) AS wrong
       FROM (SELECT content, lag(split_part(content::json->>'text', ' ', 1)::int)
               OVER (PARTITION BY conversation_id ORDER BY position) AS previous FROM messages) m`,
    );
    expect(row).toEqual({ n: String(MESSAGES), wrong: '0' });
  });
});

const SENDER = '01890a5d-ac96-774b-bcce-b302099a8057';
