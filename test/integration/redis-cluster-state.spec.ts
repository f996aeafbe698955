import type { ConversationRouting } from '@tidings/common/rpc/calls';
import type { RedisClient } from '@tidings/common/redis/client';
import {
  Directory,
  GATEWAYS,
  NODES,
  signedEntry,
  type GatewayEntry,
  type NodeEntry,
} from '@tidings/common/redis/directory';
import { KEYS } from '@tidings/common/redis/keys';
import { GatewayLease } from '@tidings/common/redis/lease';
import { MemberCache } from '@tidings/common/redis/members';
import { PeerDirectory } from '@tidings/common/redis/peer-directory';
import { DeviceLogins } from '@tidings/common/redis/logins';
import { clusterMac } from '@tidings/common/rpc/credentials';
import { randomUUID } from 'node:crypto';
import { eventually } from '../support/eventually';
import { RedisRig } from './redis-harness';

const gatewayFacts = (id: string): Omit<GatewayEntry, 'at'> => ({
  service: 'gateway',
  id,
  bootId: 'boot',
  url: 'ws://127.0.0.1:1/v1/ws',
  version: '1',
  state: 'ready',
  connections: 1,
  capacity: 10,
  loopDelayMs: 0,
  connectsPerSecond: 100,
});
const nodeFacts = (id: string): Omit<NodeEntry, 'at'> => ({
  service: 'storage',
  id,
  bootId: 'boot',
  url: 'http://127.0.0.1:1',
  version: '1',
  state: 'ready',
  lag: { 'storage-writer': { records: 3, seconds: null } },
});

describe('cluster state in Redis', () => {
  let rig: RedisRig;
  let client: RedisClient;

  beforeAll(async () => {
    rig = await RedisRig.start();
    client = await rig.client();
  }, 240_000);
  afterAll(() => rig?.stop());

  describe('lease', () => {
    let lease: GatewayLease;
    let gateway: string;

    beforeEach(() => {
      lease = new GatewayLease(client);
      gateway = `gateway-${randomUUID()}`;
    });

    it('belongs to one boot id at a time', async () => {
      expect(await lease.claim(gateway, 'a', 10_000)).toEqual({ claimed: true });
      expect(await lease.claim(gateway, 'a', 10_000)).toEqual({ claimed: true });
      expect(await lease.claim(gateway, 'b', 10_000)).toEqual({ claimed: false, holder: 'a' });
      expect(await lease.renew(gateway, 'a', 10_000)).toBe('renewed');
      expect(await lease.renew(gateway, 'b', 10_000)).toBe('lost');
      expect(await lease.release(gateway, 'b')).toBe(false);
      expect(await lease.holders([gateway, 'nobody'])).toEqual(['a', null]);
      expect(await lease.release(gateway, 'a')).toBe(true);
      expect(await lease.claim(gateway, 'b', 10_000)).toEqual({ claimed: true });
    });

    it('is won by one of 20 that claim at once', async () => {
      const claims = await Promise.all(
        Array.from({ length: 20 }, (_, i) => lease.claim(gateway, `boot-${i}`, 10_000)),
      );
      expect(claims.filter((c) => c.claimed)).toHaveLength(1);
    });

    it('passes to the next boot id of its holder', async () => {
      await lease.claim(gateway, 'a', 10_000);
      expect(await lease.claim(gateway, 'b', 10_000, { replaces: 'x' })).toMatchObject({
        claimed: false,
      });
      expect(await lease.claim(gateway, 'b', 10_000, { replaces: 'a' })).toEqual({ claimed: true });
      expect(await lease.renew(gateway, 'a', 10_000)).toBe('lost');
    });

    it('runs out, and a renewal does not bring it back', async () => {
      await lease.claim(gateway, 'a', 50);
      await eventually(async () => expect(await lease.holders([gateway])).toEqual([null]), 5_000);
      expect(await lease.renew(gateway, 'a', 10_000)).toBe('lost');
    });

    it('is closed for good to a boot id marked dead; one that holds it is never marked', async () => {
      await lease.claim(gateway, 'a', 10_000);
      expect(await lease.markDead(gateway, 'a')).toBe(false);
      expect(await lease.renew(gateway, 'a', 10_000)).toBe('renewed');
      await lease.release(gateway, 'a');
      expect(await lease.markDead(gateway, 'a')).toBe(true);
      expect(await lease.claim(gateway, 'a', 10_000)).toEqual({ claimed: false, holder: null });
      expect(await lease.renew(gateway, 'a', 10_000)).toBe('lost');
      expect(await lease.claim(gateway, 'b', 10_000)).toEqual({ claimed: true });
    });
  });

  describe.each([
    ['gateways', GATEWAYS, gatewayFacts],
    ['nodes', NODES, nodeFacts],
  ] as const)('list of %s', (_, list, facts) => {
    const mac = (parts: readonly string[]) => clusterMac('secret', parts);
    type Entry = GatewayEntry | NodeEntry;
    let directory: Directory<Entry>;
    let refused: string[];

    const open = (secret = 'secret', wallClock = Date.now) =>
      new Directory<Entry>(client, list as never, {
        mac: (parts) => clusterMac(secret, parts),
        refused: (id, reason) => void refused.push(`${id} ${reason}`),
        wallClock,
      });
    const ids = async () => (await directory.list()).map((entry) => entry.id).sort();
    const redisNow = async () => Number((await client.time())[0]) * 1000;
    /** Writes an entry as a node that knows the secret would have at that time. */
    const put = (id: string, at: number, key = list.key) =>
      client.hset(list.key, id, signedEntry(mac, key, JSON.stringify({ ...facts(id), at })));

    beforeEach(async () => {
      await client.del(list.key);
      refused = [];
      directory = open();
    });

    it('has the newest entry of each live node, draining ones too', async () => {
      await directory.announce(facts('n1'));
      await directory.announce({ ...facts('n1'), version: '2' });
      await directory.announce({ ...facts('n2'), state: 'draining' });
      const entries = await directory.list();
      expect(entries.sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
        { ...facts('n1'), version: '2', at: expect.any(Number) },
        { ...facts('n2'), state: 'draining', at: expect.any(Number) },
      ]);
      await directory.remove('n1');
      expect(await ids()).toEqual(['n2']);
      expect(refused).toEqual([]);
      expect(await client.ttl(list.key)).toBeGreaterThan(50);
    });

    it("judges ages by Redis' clock, whatever those of the nodes say", async () => {
      const early = open('secret', () => Date.now() - 60_000);
      const late = open('secret', () => Date.now() + 60_000);
      expect((await early.announce(facts('early'))).skewMs).toBeCloseTo(-60_000, -3);
      expect((await late.announce(facts('late'))).skewMs).toBeCloseTo(60_000, -3);
      expect(Math.abs((await directory.announce(facts('right'))).skewMs)).toBeLessThan(1_000);
      for (const reader of [directory, early, late]) {
        const found = (await reader.list()).map((entry) => entry.id).sort();
        expect(found).toEqual(['early', 'late', 'right']);
      }
    });

    it('refuses what does not prove the secret, and tells of it once', async () => {
      await open('other secret').announce(facts('foreign'));
      await directory.announce(facts('n1'));
      const signed = (await client.hget(list.key, 'n1'))!;
      const forged = {
        url: signed.replace('127.0.0.1', '10.0.0.1'),
        version: signed.replace('"version":"1"', '"version":"2"'),
        state: signed.replace('"ready"', '"joining"'),
        bare: signed.slice(signed.indexOf(' ') + 1),
        empty: '',
        moved: signed,
      };
      await client.hset(list.key, forged);
      await put('other-list', await redisNow(), 'another key');
      for (let n = 0; n < 3; n++) expect(await ids()).toEqual(['n1']);
      const names = ['foreign', ...Object.keys(forged), 'other-list'];
      expect(refused.sort()).toEqual(names.map((name) => `${name} forged`).sort());
    });

    it.each(['null', '7', '[]', '{', JSON.stringify({ id: 'odd' })])(
      'refuses a signed entry of another shape: %s',
      async (json) => {
        await directory.announce(facts('n1'));
        await client.hset(list.key, 'odd', signedEntry(mac, list.key, json));
        expect(await ids()).toEqual(['n1']);
        expect(refused).toEqual(['odd forged']);
      },
    );

    it('refuses stale ones, tells of them once until they are well again, and takes out old ones', async () => {
      const now = await redisNow();
      await put('late', now - 7_000);
      await put('early', now + 60_000);
      await put('dead', now - 70_000);
      await put('just', now - 1_000);
      for (let n = 0; n < 3; n++) expect(await ids()).toEqual(['just']);
      expect(refused.sort()).toEqual(['dead stale', 'early stale', 'late stale']);
      expect((await client.hkeys(list.key)).sort()).toEqual(['early', 'just', 'late']);
      await directory.announce(facts('late'));
      expect(await ids()).toEqual(['just', 'late']);
      await put('late', now - 7_000);
      expect(await ids()).toEqual(['just']);
      expect(refused.filter((one) => one === 'late stale')).toHaveLength(2);
    });

    it('refuses an entry that its node has replaced since, and tells of it once', async () => {
      await directory.announce({ ...facts('n1'), state: 'ready' });
      const before = (await client.hget(list.key, 'n1'))!;
      await eventually(async () => {
        const { at } = await directory.announce({ ...facts('n1'), state: 'draining' });
        expect(at).toBeGreaterThan((JSON.parse(before.split(' ')[1]!) as Entry).at);
      });
      expect(await directory.list()).toMatchObject([{ state: 'draining' }]);
      await client.hset(list.key, 'n1', before);
      for (let n = 0; n < 3; n++) expect(await directory.list()).toEqual([]);
      // nor is it taken when the newer one had been deleted in between
      await client.del(list.key);
      expect(await directory.list()).toEqual([]);
      await client.hset(list.key, 'n1', before);
      expect(await directory.list()).toEqual([]);
      expect(refused).toEqual(['n1 replayed', 'n1 replayed']);
      await directory.announce({ ...facts('n1'), state: 'draining' });
      expect(await ids()).toEqual(['n1']);
    });
  });

  describe('session generations', () => {
    it('only rise', async () => {
      const logins = new DeviceLogins(client);
      const [userId, deviceId] = [randomUUID(), randomUUID()];
      expect(await logins.get(userId, deviceId)).toBeNull();
      expect(await logins.raise(userId, deviceId, 5)).toBe(5);
      expect(await logins.raise(userId, deviceId, 4)).toBe(5);
      expect(await logins.raise(userId, deviceId, 5)).toBe(5);
      expect(await logins.raise(userId, deviceId, 10)).toBe(10);
      expect(await logins.get(userId, deviceId)).toBe(10);
      expect(await logins.get(userId, randomUUID())).toBeNull();
      expect(
        await logins.getAll([
          { userId, deviceId },
          { userId: randomUUID(), deviceId },
        ]),
      ).toEqual([10, null]);
      expect(await logins.getAll([])).toEqual([]);
      await expect(logins.raise(userId, deviceId, 1.5)).rejects.toThrow(TypeError);
      expect(await client.pttl(KEYS.logins(userId))).toBeGreaterThan(23 * 3_600_000);
    });
  });

  describe('routing data of conversations', () => {
    function routing(version: number, members = 2): ConversationRouting {
      return {
        conversationId: 'conversation_1',
        kind: 'group',
        version,
        members: Array.from({ length: members }, () => ({
          userId: randomUUID(),
          from: '0',
          until: null,
        })),
        lastPosition: '9223372036854775807',
      };
    }

    it('is never replaced by a lower version', async () => {
      const cache = new MemberCache(client);
      const [v9, v9b, v10] = [routing(9), routing(9), routing(10, 1_000)];
      expect(await cache.get(['conversation_1', 'x'])).toEqual([null, null]);
      expect(await cache.put(v9)).toBe(true);
      expect(await cache.put(v9b)).toBe(true);
      expect(await cache.get(['x', 'conversation_1'])).toEqual([null, v9b]);
      expect(await cache.put(v10)).toBe(true);
      expect(await cache.put(v9)).toBe(false);
      expect(await cache.get(['conversation_1'])).toEqual([v10]);
      expect(await cache.get([])).toEqual([]);
    });

    it('of one version is never replaced by older blocks', async () => {
      const cache = new MemberCache(client);
      const at = (version: number, blocksVersion?: number): ConversationRouting => ({
        ...routing(version),
        conversationId: 'conversation_2',
        ...(blocksVersion !== undefined && { blocksVersion, blocked: [randomUUID()] }),
      });
      const key = KEYS.members('conversation_2');
      // As the release before this one wrote it.
      await client.set(key, `1 ${JSON.stringify(at(1))}`);
      const [open, closed, later] = [at(1), at(1, 2), at(1, 10)];
      expect(await cache.put(open)).toBe(true);
      expect(await cache.put(closed)).toBe(true);
      expect(await cache.put(open)).toBe(false);
      expect(await cache.get(['conversation_2'])).toEqual([closed]);
      expect(await cache.put(later)).toBe(true);
      expect(await cache.put(closed)).toBe(false);
      expect(await cache.put(at(2))).toBe(true);
      expect(await cache.put(later)).toBe(false);
    });

    it('of another shape counts as missing, and can be written over', async () => {
      const cache = new MemberCache(client);
      for (const value of ['', '1', 'x y', '0 {', '0 {"version":0}']) {
        await client.set(KEYS.members('conversation_1'), value);
        expect(await cache.get(['conversation_1'])).toEqual([null]);
      }
      expect(await cache.put(routing(1))).toBe(true);
    });
  });

  describe('peers', () => {
    const member = (n: number) => ({ bootId: `boot-${n}`, memberId: `session-${n}-member` });

    it('are members of groups by node, until they are forgotten', async () => {
      const directory = new PeerDirectory(client);
      await directory.join('session-routing', 'session-1', member(0));
      await directory.join('session-routing', 'session-1', member(1));
      await directory.join('session-routing', 'session-2', member(2));
      const groups = ['session-routing', 'session-receipts'];
      const both = new Map([
        ['session-1', member(1)],
        ['session-2', member(2)],
      ]);
      expect(await directory.members(groups)).toEqual([both, new Map()]);
      // another process of the node has joined meanwhile: it stays
      await directory.forget('session-routing', 'session-1', member(0));
      expect(await directory.members(groups)).toEqual([both, new Map()]);
      await directory.forget('session-routing', 'session-1', member(1));
      both.delete('session-1');
      expect(await directory.members(groups)).toEqual([both, new Map()]);
      expect(await client.ttl(KEYS.groupMembers('session-routing'))).toBeGreaterThan(590);
    });

    it('leave out what is no member', async () => {
      await client.hset(
        KEYS.groupMembers('session-routing'),
        'session-1',
        'x',
        'session-2',
        'a b c',
      );
      expect(await new PeerDirectory(client).members(['session-routing'])).toEqual([new Map()]);
    });

    it('live as long as their lease', async () => {
      const directory = new PeerDirectory(client);
      const lease = { bootId: 'boot-1', clientId: '17' };
      await directory.renew('session-1', lease, 60_000);
      await directory.renew('session-2', lease, 1);
      await eventually(async () =>
        expect(await directory.leases(['session-1', 'session-2'])).toEqual([lease, null]),
      );
      await directory.release('session-1', { ...lease, bootId: 'boot-0' });
      expect(await directory.leases(['session-1'])).toEqual([lease]);
      await directory.release('session-1', lease);
      expect(await directory.leases(['session-1'])).toEqual([null]);
    });

    it('lose their connection with their process', async () => {
      const directory = new PeerDirectory(client);
      const other = await rig.client();
      const own = await directory.clientId();
      const others = await new PeerDirectory(other).clientId();
      expect(await directory.connected([own, others])).toEqual(new Set([own, others]));
      other.disconnect();
      await eventually(async () =>
        expect(await directory.connected([own, others])).toEqual(new Set([own])),
      );
      expect(await directory.connected([])).toEqual(new Set());
    });

    it('are let go by one node, and not again for a while', async () => {
      const directory = new PeerDirectory(client);
      expect(await directory.claimEviction('session-1', 'boot-1', 60_000)).toBe(true);
      expect(await directory.claimEviction('session-1', 'boot-1', 60_000)).toBe(false);
      expect(await directory.claimEviction('session-1', 'boot-2', 60_000)).toBe(true);
      await directory.returnEviction('session-1', 'boot-1');
      expect(await directory.claimEviction('session-1', 'boot-1', 60_000)).toBe(true);
    });
  });
});
