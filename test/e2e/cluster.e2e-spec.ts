import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { nodeClient } from '@tidings/sdk/node';
import { Redis } from 'ioredis';
import { NODES, signedEntry, type NodeEntry } from '@tidings/common/redis/directory';
import { clusterMac } from '@tidings/common/rpc/credentials';
import type { NodeHandle } from '../../tools/stack/service-node';
import type { Stack } from '../../tools/stack/stack';
import { manyChatUsers, refreshTokens } from '../support/many-users';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { logLines } from '../support/service-report';
import { LIMITS_OFF, startTestStack } from '../support/test-stack';

/** Users behind one address, and how long they may take. */
const CROWD = 300;
/** Far beyond the minute that a quiet machine has to keep: the time is printed. */
const CROWD_BACK_MS = 200_000;

/** Within this time a change of the list reaches every caller, as PROTOCOL and ARCHITECTURE say; ms. */
const SHARE_MS = 5_000;

describe('a cluster of three gateways and two of each service', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let redis: Redis;
  let ann: ChatUser;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      services: { gateway: 3, session: 2, presence: 2, storage: 2 },
    }));
    redis = new Redis(stack.redisUrl);
    ann = await ChatUser.create(stack.gatewayUrls);
  }, 240_000);
  afterAll(async () => {
    redis?.disconnect();
    await stop?.();
  });

  const metricsOf = async (node: NodeHandle): Promise<string> =>
    (await fetch(`${node.url}/metrics`)).text();

  /** The value of a metric without labels of its own. */
  async function metric(node: NodeHandle, name: string): Promise<number> {
    const value = new RegExp(`^tidings_${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(
      await metricsOf(node),
    )?.[1];
    return Number(value ?? NaN);
  }

  const listed = async (): Promise<Map<string, NodeEntry>> => {
    const values = Object.entries(await redis.hgetall(NODES.key));
    return new Map(
      values.map(([id, value]) => [
        id,
        JSON.parse(value.slice(value.indexOf(' ') + 1)) as NodeEntry,
      ]),
    );
  };

  it('lists every session, presence and storage as ready, with address, version and lag', async () => {
    await eventually(async () => {
      const entries = await listed();
      const ids = ['presence-1', 'presence-2', 'session-1', 'session-2', 'storage-1', 'storage-2'];
      expect([...entries.keys()].sort()).toEqual(ids);
      for (const [id, entry] of entries) {
        expect(entry).toMatchObject({ id, state: 'ready', url: stack.node(id).url });
        expect(entry.version).toMatch(/^\d+\.\d+\.\d+$/);
        const lags = Object.values(entry.lag);
        expect(lags.length).toBeGreaterThan(0);
        for (const lag of lags) expect(lag).toEqual({ records: 0, seconds: 0 });
      }
    });
  });

  it('gives an instance that no setting names its share within 5 s, and none to one that stops', async () => {
    const gateway = stack.node('gateway-1');
    const [one, two] = [stack.node('storage-1'), stack.node('storage-2')];
    await two.stop();
    await gateway.restart({ STORAGE_URLS: one.url });
    let asking = true;
    let failed = 0;
    const load = (async () => {
      while (asking) if ((await ann.http('GET', '/v1/me')).status !== 200) failed += 1;
    })();
    try {
      await two.restart();
      const began = performance.now();
      await eventually(async () => {
        const before = await Promise.all([one, two].map((n) => metric(n, 'internal_calls_total')));
        for (let n = 0; n < 10; n++) await ann.http('GET', '/v1/me');
        const after = await Promise.all([one, two].map((n) => metric(n, 'internal_calls_total')));
        const [first, second] = after.map((calls, i) => calls - before[i]!) as [number, number];
        expect(second).toBeGreaterThanOrEqual(0.4 * (first + second));
      }, SHARE_MS);
      console.log(`its share ${Math.round(performance.now() - began)} ms behind ready`);
      // frozen where it says that it drains: who asks it now would wait
      const stopped = two.stop();
      await eventually(async () =>
        expect((await listed()).get('storage-2')?.state ?? 'gone').not.toBe('ready'),
      );
      await stopped;
      expect((await listed()).has('storage-2')).toBe(false);
      for (let n = 0; n < 20; n++) expect((await ann.http('GET', '/v1/me')).status).toBe(200);
    } finally {
      asking = false;
      await load;
      await two.restart();
    }
    expect(failed).toBe(0);
    const urls = stack.node('storage-2').url;
    await gateway.restart({ STORAGE_URLS: `${one.url},${urls}` });
  });

  it('keeps a gateway whose clock is 5 s off in its directory, and shows how far it is', async () => {
    const gateway = stack.node('gateway-2');
    await gateway.restart({ TEST_CLOCK_OFFSET_MS: '5000' });
    const asker = new ChatUser([stack.gatewayUrls[0]!], ann.username);
    await asker.login();
    await eventually(async () =>
      expect(await metric(gateway, 'clock_skew_seconds')).toBeCloseTo(5, 0),
    );
    expect((await asker.ticket('gateway-2')).gatewayId).toBe('gateway-2');
    expect(logLines(gateway.logPath, "this node's clock is not that of Redis")).toHaveLength(1);
    await gateway.restart({ TEST_CLOCK_OFFSET_MS: '0' });
  });

  it('has 300 users behind one address back whose access tokens have all expired', async () => {
    // an empty value is an unset one: what everybody has
    const defaults = Object.fromEntries(Object.keys(LIMITS_OFF).map((name) => [name, '']));
    const gateways = ['gateway-1', 'gateway-2', 'gateway-3'].map((id) => stack.node(id));
    const users = await manyChatUsers(stack, CROWD);
    const tokens = await refreshTokens(stack.databaseUrl, users);
    await Promise.all(gateways.map((gateway) => gateway.restart(defaults)));
    const problems: string[] = [];
    /** Who is not connected, and what has happened to them since. */
    const away = new Map<string, string[]>(users.map(({ username }) => [username, []]));
    const began = performance.now();
    const [first, second, third] = stack.gatewayUrls as [string, string, string];
    const clients = users.map(({ id, username, deviceId }, n) => {
      const servers = [
        [first, second, third],
        [second, third, first],
        [third, first, second],
      ];
      const client = nodeClient({ servers: servers[n % 3]! });
      client.on('problem', ({ kind, detail }) => problems.push(`${kind}: ${detail}`));
      client.on('state', ({ state, reason, gatewayId }) => {
        const at = Math.round(performance.now() - began);
        if (gatewayId) away.delete(username);
        else away.set(username, [...(away.get(username) ?? []), `${at} ${state} ${reason ?? ''}`]);
      });
      const user = { id, username, firstName: 'Many' };
      const refreshToken = tokens[n]!;
      client.restore({ user, deviceId, accessToken: 'over', refreshToken, expiresAt: 0 });
      return client;
    });
    try {
      await Promise.all(clients.map((client) => client.start()));
      await eventually(() => expect([...away]).toEqual([]), CROWD_BACK_MS);
      console.log(`${CROWD} back within ${Math.round(performance.now() - began)} ms`);
      expect(problems).toEqual([]);
    } finally {
      await Promise.all(clients.map((client) => client.stop()));
      await Promise.all(gateways.map((gateway) => gateway.restart(LIMITS_OFF)));
    }
  }, 480_000);

  it('calls nobody by a forged or stale announcement, and tells of each once', async () => {
    let asked = 0;
    const trap: Server = createServer((_request, response) => {
      asked += 1;
      response.end();
    });
    await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`;
    const json = (id: string, at: number): string =>
      JSON.stringify({
        service: 'storage',
        id,
        bootId: 'b',
        url,
        version: '0.1.0',
        state: 'ready',
        lag: {},
        at,
      });
    const mac = (secret: string) => (parts: readonly string[]) => clusterMac(secret, parts);
    const now = Number((await redis.time())[0]) * 1000;
    await redis.hset(NODES.key, {
      forged: signedEntry(mac('guessed'), NODES.key, json('forged', now)),
      stale: signedEntry(mac(stack.clusterSecret), NODES.key, json('stale', now - 30_000)),
    });
    const gateway = stack.node('gateway-1');
    const lines = (node: string) =>
      logLines(gateway.logPath, 'an announcement does not count').filter((l) => l['node'] === node);
    try {
      await eventually(() =>
        expect([lines('forged').length, lines('stale').length]).toEqual([1, 1]),
      );
      for (let n = 0; n < 20; n++) expect((await ann.http('GET', '/v1/me')).status).toBe(200);
      expect(await metricsOf(gateway)).toMatch(
        /^tidings_announcements_refused_total\{list="nodes",reason="forged",[^}]*\} 1$/m,
      );
      expect([lines('forged').length, lines('stale').length, asked]).toEqual([1, 1, 0]);
    } finally {
      trap.close();
      await redis.hdel(NODES.key, 'forged', 'stale');
    }
  });
});
