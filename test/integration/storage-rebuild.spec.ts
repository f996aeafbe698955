import { DIGEST_LENGTH } from '@tidings/protocol/digest';
import { uuidv7 } from 'uuidv7';
import { Database } from '../../apps/storage/src/database/database';
import { DerivedRepository } from '../../apps/storage/src/rebuild/derived.repository';
import { rebuildDerived, wrongIn } from '../../apps/storage/src/rebuild/rebuild-derived';
import { rebuild } from '../../apps/storage/src/rebuild/rebuild';
import { rebuildEnv } from '../../apps/storage/src/storage.env';
import { newGroup } from './storage-groups-support';
import { eventually } from '../support/eventually';
import {
  changeOf,
  messageOf,
  newUser,
  type RunningStorage,
  StorageFixture,
  synced,
  type TestUser,
} from './storage-support';

const PATIENT = { timeoutMs: 30_000 };
const FACTS = { kind: 'file' as const, type: 'text/plain', size: 3 };

jest.setTimeout(60_000);

describe('storage: what is derived is rebuilt', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let database: Database;
  let derived: DerivedRepository;
  let ann: TestUser;
  let bob: TestUser;
  let direct: string;
  let group: string;
  let mediaId: string;

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    one = await fixture.storage('storage-1');
    const { databaseUrl: url } = fixture.servers;
    database = new Database({ url, name: 'test', connections: 1 }, () => undefined);
    derived = new DerivedRepository(database);
    [ann, bob] = [await newUser(one.rpc, 'ann'), await newUser(one.rpc, 'bob')];
    const pair = { userId: ann.id, otherId: bob.id };
    direct = (await one.rpc.call('conversations.direct', pair, PATIENT)).conversation.id;
    group = await newGroup(one, ann, bob);
    mediaId = uuidv7();
    const media = { ...FACTS, mediaId, etag: 'e', conversationId: direct, ownerId: ann.id };
    await one.rpc.call('media.create', media, PATIENT);
    const texts = Array.from({ length: DIGEST_LENGTH + 3 }, (_, n) =>
      messageOf(direct, ann.id, `m${n}`),
    );
    const positions = await fixture.append([
      ...texts,
      messageOf(direct, ann.id, '', {
        content: { kind: 'file', mediaId, name: 'n', type: 'text/plain', size: 3 },
      }),
      messageOf(group, ann.id, 'hello'),
    ]);
    await fixture.appendChanges([changeOf(texts[0]!, positions[0]!, 'edited')]);
    await eventually(async () => {
      const rows = await fixture.rows('SELECT 1 FROM messages WHERE version > position');
      expect(rows).toHaveLength(1);
      const [row] = await fixture.rows<{ created_position: string | null }>(
        'SELECT created_position FROM conversations WHERE id = $1',
        [group],
      );
      expect(row!.created_position).not.toBeNull();
    });
  }, 240_000);

  afterAll(async () => {
    await database?.close();
    await fixture?.stop();
  });

  /** What both people are told, with a fresh device. */
  async function told(): Promise<unknown> {
    const barrier = await fixture.barrier();
    const asked = [ann, bob].map(({ id }) => synced(one.rpc, { userId: id, barrier, request: {} }));
    return (await Promise.all(asked)).map((bodies) => bodies.flatMap((b) => b.conversations));
  }
  const run = async (check = false) => {
    const lines: string[] = [];
    const report = await rebuildDerived(derived, { check, tell: (line) => lines.push(line) });
    return { report, lines };
  };

  it('finds nothing where nothing is wrong, and the hashes are equal', async () => {
    const { report, lines } = await run();
    expect(wrongIn(report)).toBe(0);
    expect(lines).toEqual([]);
    expect(report.conversations).toBeGreaterThanOrEqual(2);
    expect(report.before).toBe(report.after);
  });

  it('sets right what was changed past the log, so that everybody is told what they were told before', async () => {
    const before = await told();
    const whole = (await run()).report.after;
    await fixture.rows(
      `UPDATE conversations SET last_position = 1, last_at = '2000-01-01', created_position = 99 WHERE id = ANY ($1)`,
      [[direct, group]],
    );
    await fixture.rows('DELETE FROM media_uses');
    await fixture.rows(
      'INSERT INTO media_uses (conversation_id, message_id, media_id) VALUES ($1, $2, $3)',
      [group, uuidv7(), uuidv7()],
    );
    await fixture.rows('UPDATE media SET keep_until = now()');

    const looked = await run(true);
    expect(looked.report).toMatchObject({ wrongConversations: 2, missingUses: 1, surplusUses: 1 });
    expect(looked.report.before).not.toBe(whole);
    expect(looked.report.after).toBe(looked.report.before);
    expect((await run(true)).report.wrongConversations).toBe(2);

    const { report, lines } = await run();
    expect(report).toMatchObject({ wrongConversations: 2, missingUses: 1, surplusUses: 1 });
    expect(report.misjudgedMedia).toBe(1);
    expect(report.after).toBe(whole);
    expect(lines.join('\n')).toContain(`${direct}: last position 1 → `);
    expect(wrongIn((await run(true)).report)).toBe(0);
    const [upload] = await fixture.rows('SELECT keep_until FROM media WHERE id = $1', [mediaId]);
    expect(upload).toEqual({ keep_until: null });
    expect(await told()).toEqual(before);
  });

  it('has syncs count again what was kept, also where it was kept wrongly', async () => {
    const before = await told();
    await eventually(async () => {
      const rows = await fixture.rows('SELECT 1 FROM members WHERE unread_position IS NOT NULL');
      expect(rows.length).toBeGreaterThan(0);
    });
    await fixture.rows(`UPDATE members SET unread = 777 WHERE unread_position IS NOT NULL`);
    await fixture.rows(`UPDATE conversations SET digest = 'x' WHERE digest_position IS NOT NULL`);
    expect(await told()).not.toEqual(before);
    const { report } = await run();
    expect(report.forgottenUnread).toBeGreaterThan(0);
    expect(report.forgottenDigests).toBeGreaterThan(0);
    expect(await told()).toEqual(before);
  });

  it('never lowers a position: tombstones may have gone', async () => {
    await fixture.rows('UPDATE conversations SET last_position = 1000000 WHERE id = $1', [group]);
    expect(wrongIn((await run()).report)).toBe(0);
  });

  it('is a command that says what it found and ends with 1 while something is wrong', async () => {
    const env = rebuildEnv.parse({ DATABASE_URL: fixture.servers.databaseUrl });
    const out: string[] = [];
    const write = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out.push(String(text));
      return true;
    });
    try {
      await fixture.rows('DELETE FROM media_uses');
      expect(await rebuild(env, ['derived', '--check'])).toBe(1);
      expect(await rebuild(env, ['derived'])).toBe(0);
      expect(await rebuild(env, ['derived', '--check'])).toBe(0);
    } finally {
      write.mockRestore();
    }
    expect(out.join('')).toContain(
      'Uploads: 1 uses missing, 0 too many, 1 kept or watched wrongly; wrong',
    );
    expect(out.join('')).toContain('Looked at once more: all is right.');
  });
});
