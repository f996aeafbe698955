import type { ConversationRouting } from '@tidings/common/rpc/calls';
import type { RedisClient } from '@tidings/common/redis/client';
import { GatewayDirectory, type GatewayEntry } from '@tidings/common/redis/directory';
import { KEYS } from '@tidings/common/redis/keys';
import { GatewayLease } from '@tidings/common/redis/lease';
import { MemberCache } from '@tidings/common/redis/members';
import { PeerDirectory } from '@tidings/common/redis/peer-directory';
import { DeviceSessions } from '@tidings/common/redis/sessions';
import { clusterMac } from '@tidings/common/rpc/credentials';
import { randomUUID } from 'node:crypto';
import { eventually } from '../support/eventually';
import { RedisRig } from './redis-harness';

describe('cluster state in Redis', () => {
  let rig: RedisRig;
  let client: RedisClient;

  beforeAll(async () => {
    rig = await RedisRig.start();
    client = await rig.client();
  }, 240_000);
  afterAll(() => rig?.stop(), 60_000);

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

  describe('directory', () => {
    const mac = (parts: readonly string[]) => clusterMac('secret', parts);
    let at = 1_763_720_000_000;
    let directory: GatewayDirectory;

    function entry(gatewayId: string, changes: Partial<GatewayEntry> = {}): GatewayEntry {
      return {
        gatewayId,
        bootId: 'boot',
        url: 'ws://127.0.0.1:1/v1/ws',
        connections: 1,
        capacity: 10,
        draining: false,
        at,
        ...changes,
      };
    }

    beforeEach(async () => {
      await client.del(KEYS.directory());
      directory = new GatewayDirectory(client, { mac, now: () => at });
    });

    it('lists live entries, the newest of each gateway', async () => {
      await directory.announce(entry('g1'));
      await directory.announce(entry('g1', { connections: 5 }));
      await directory.announce(entry('g2', { draining: true }));
      const list = await directory.list();
      expect(list.sort((a, b) => (a.gatewayId < b.gatewayId ? -1 : 1))).toEqual([
        entry('g1', { connections: 5 }),
        entry('g2', { draining: true }),
      ]);
      await directory.remove('g1');
      expect((await directory.list()).map((e) => e.gatewayId)).toEqual(['g2']);
      expect(directory.ignored).toEqual({ unsigned: 0, stale: 0 });
    });

    it('ignores and counts entries without a proof of the secret', async () => {
      const foreign = new GatewayDirectory(client, {
        mac: (parts) => clusterMac('other secret', parts),
      });
      await foreign.announce(entry('foreign'));
      await directory.announce(entry('g1'));
      const signed = (await client.hget(KEYS.directory(), 'g1'))!;
      const forged = {
        url: signed.replace('127.0.0.1', '10.0.0.1'),
        load: signed.replace('"connections":1', '"connections":0'),
        time: signed.replace(String(at), String(at + 1)),
        bare: signed.slice(signed.indexOf(' ') + 1),
        empty: '',
        moved: signed,
      };
      await client.hset(KEYS.directory(), forged);
      expect((await directory.list()).map((e) => e.gatewayId)).toEqual(['g1']);
      expect(directory.ignored).toEqual({ unsigned: 7, stale: 0 });
    });

    it.each(['null', '7', '[]', '{', JSON.stringify({ gatewayId: 'odd' })])(
      'ignores and counts a signed entry of another shape: %s',
      async (json) => {
        await directory.announce(entry('g1'));
        await client.hset(KEYS.directory(), 'odd', `${mac([json])} ${json}`);
        expect((await directory.list()).map((e) => e.gatewayId)).toEqual(['g1']);
        expect(directory.ignored).toEqual({ unsigned: 1, stale: 0 });
      },
    );

    it('ignores and counts stale entries, and takes out old ones', async () => {
      const now = at;
      await directory.announce(entry('late', { at: now - 6_000 }));
      await directory.announce(entry('early', { at: now + 6_000 }));
      await directory.announce(entry('dead', { at: now - 61_000 }));
      await directory.announce(entry('just', { at: now - 5_000 }));
      expect((await directory.list()).map((e) => e.gatewayId)).toEqual(['just']);
      expect(directory.ignored).toEqual({ unsigned: 0, stale: 3 });
      expect((await client.hkeys(KEYS.directory())).sort()).toEqual(['early', 'just', 'late']);
      at += 10_000;
      expect((await directory.list()).map((e) => e.gatewayId)).toEqual(['early']);
    });
  });

  describe('session generations', () => {
    it('only rise', async () => {
      const sessions = new DeviceSessions(client);
      const [userId, deviceId] = [randomUUID(), randomUUID()];
      expect(await sessions.get(userId, deviceId)).toBeNull();
      expect(await sessions.raise(userId, deviceId, 5)).toBe(5);
      expect(await sessions.raise(userId, deviceId, 4)).toBe(5);
      expect(await sessions.raise(userId, deviceId, 5)).toBe(5);
      expect(await sessions.raise(userId, deviceId, 10)).toBe(10);
      expect(await sessions.get(userId, deviceId)).toBe(10);
      expect(await sessions.get(userId, randomUUID())).toBeNull();
      expect(
        await sessions.getAll([
          { userId, deviceId },
          { userId: randomUUID(), deviceId },
        ]),
      ).toEqual([10, null]);
      expect(await sessions.getAll([])).toEqual([]);
      await expect(sessions.raise(userId, deviceId, 1.5)).rejects.toThrow(TypeError);
      expect(await client.pttl(KEYS.sessions(userId))).toBeGreaterThan(23 * 3_600_000);
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
