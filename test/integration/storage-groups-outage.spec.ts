import { Redis } from 'ioredis';
import { KEYS } from '@tidings/common/redis/keys';
import {
  add,
  eventsOf,
  memberRows,
  newGroup,
  PATIENT,
  remove,
  startForGroups,
} from './storage-groups-support';
import { eventually } from '../support/eventually';
import { codeOf, type RunningStorage, type StorageFixture, type TestUser } from './storage-support';

describe('storage: groups', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let two: RunningStorage;
  let ann: TestUser;
  let bob: TestUser;
  let carol: TestUser;
  let dave: TestUser;

  beforeAll(async () => {
    ({ fixture, one, two, ann, bob, carol, dave } = await startForGroups());
  }, 240_000);

  afterAll(() => fixture?.stop());

  describe('without a position', () => {
    it('a removal counts as done and an addition as not yet; both are there when the log is', async () => {
      const id = await newGroup(one, ann, bob, carol);
      const members = async (): Promise<string[]> => {
        const wanted = { conversations: [{ conversationId: id }] };
        const { items } = await two.rpc.call('conversations.routing', wanted, PATIENT);
        return items[0]!.members.map((m) => m.userId).sort();
      };
      const everybody = await members();
      await fixture.servers.kafka.kill();
      const codes = await Promise.all([
        codeOf(remove(one, ann, id, bob)),
        codeOf(add(two, ann, id, [dave.id])),
      ]);
      expect(codes).toEqual(['unavailable', 'unavailable']);
      expect(await members()).toEqual(everybody.filter((userId) => userId !== bob.id));
      const read = (user: TestUser) =>
        codeOf(one.rpc.call('conversations.get', { userId: user.id, conversationId: id }, PATIENT));
      expect([await read(bob), await read(dave), await read(carol)]).toEqual([
        'no_such_conversation',
        'no_such_conversation',
        'ok',
      ]);
      await fixture.servers.kafka.restart();
      await eventually(async () => expect(await read(dave)).toBe('ok'), 90_000);
      expect((await eventsOf(fixture, id, 3)).map((e) => e['kind']).sort()).toEqual([
        'added',
        'created',
        'removed',
      ]);
      const after = await memberRows(fixture, id);
      expect([...after.values()].map((row) => row.pending)).toEqual([false, false, false, false]);
      expect(after.get(bob.id)!.until_position).not.toBeNull();
      expect(await read(bob)).toBe('no_such_conversation');
    }, 180_000);

    it('a removal waits for Redis, so that no gateway finds the member there', async () => {
      const id = await newGroup(one, ann, bob, carol);
      const cached = async (): Promise<string[]> => {
        const redis = new Redis(fixture.servers.redisUrl);
        try {
          const text = await redis.get(KEYS.members(id));
          const routing = JSON.parse(text!.slice(text!.indexOf(' '))) as {
            members: { userId: string }[];
          };
          return routing.members.map((m) => m.userId);
        } finally {
          redis.disconnect();
        }
      };
      await eventually(async () => expect(await cached()).toContain(bob.id));
      await fixture.servers.redis.kill();
      expect(await codeOf(remove(one, ann, id, bob))).toBe('unavailable');
      const appended = await fixture.rows(
        `SELECT 1 FROM messages WHERE conversation_id = $1 AND content LIKE '%removed%'`,
        [id],
      );
      expect(appended).toEqual([]);
      await fixture.servers.redis.restart();
      await eventually(async () => {
        expect(await codeOf(remove(one, ann, id, bob))).toBe('ok');
      }, 30_000);
      expect(await cached()).not.toContain(bob.id);
    });
  });
});
