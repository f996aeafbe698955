import { eventually } from '../../../../test/support/eventually';
import { EVERYONE_ID } from '@tidings/protocol/ids';
import { TidingsError } from '@tidings/protocol/errors';
import type { ConversationRouting } from '@tidings/common/rpc/calls';
import { Membership } from './membership';

type Source = 'member' | 'blocked' | 'outsider' | 'gone' | 'nothing' | 'away';

function routing(source: Source): ConversationRouting {
  const until = source === 'gone' ? '9' : null;
  const userId = source === 'outsider' ? 'other' : 'user';
  return {
    conversationId: 'c',
    kind: 'direct',
    version: 1,
    members: [{ userId, from: '0', until }],
    lastPosition: '0',
    ...(source === 'blocked' && { blocked: ['user'], blocksVersion: 1 }),
  };
}

function setUp(sources: { redis: Source; storage: Source }) {
  let now = 0;
  const world = { ttlSeconds: undefined as number | undefined };
  const found = (source: Source): ConversationRouting | null =>
    source === 'nothing' ? null : { ...routing(source), messageTtlSeconds: world.ttlSeconds };
  const asked: string[] = [];
  const filled: string[] = [];
  const membership = new Membership(
    {
      get: (ids) => {
        asked.push('redis');
        if (sources.redis === 'away') return Promise.reject(new Error('redis is away'));
        return Promise.resolve(ids.map(() => found(sources.redis)));
      },
      put: (item) => {
        filled.push(item.conversationId);
        return Promise.resolve(true);
      },
    },
    {
      call: (() => {
        asked.push('storage');
        if (sources.storage === 'away') return Promise.reject(new TidingsError('unavailable'));
        const item = found(sources.storage);
        return Promise.resolve({ items: item ? [item] : [], applied: [] });
      }) as never,
    },
    () => now,
  );
  return { membership, asked, filled, sources, world, at: (ms: number) => (now = ms) };
}

describe('the conversation of everybody', () => {
  it('has everybody as a member and nobody as a sender, and asks nobody', async () => {
    const { membership, asked } = setUp({ redis: 'away', storage: 'away' });
    await membership.require(EVERYONE_ID, 'user');
    expect(membership.maySend(EVERYONE_ID, 'user')).toBe(false);
    await expect(membership.requireSender(EVERYONE_ID, 'user')).rejects.toMatchObject({
      code: 'not_allowed',
    });
    expect(asked).toEqual([]);
  });
});

describe('Membership.require', () => {
  it.each<[Source, Source, string]>([
    ['member', 'away', 'ok'],
    ['member', 'outsider', 'ok'],
    ['outsider', 'member', 'ok'],
    ['gone', 'member', 'ok'],
    ['nothing', 'member', 'ok'],
    ['away', 'member', 'ok'],
    ['outsider', 'outsider', 'no_such_conversation'],
    ['gone', 'gone', 'no_such_conversation'],
    ['nothing', 'nothing', 'no_such_conversation'],
    ['away', 'outsider', 'no_such_conversation'],
    ['away', 'nothing', 'no_such_conversation'],
    ['outsider', 'away', 'unavailable'],
    ['nothing', 'away', 'unavailable'],
    ['away', 'away', 'unavailable'],
  ])('redis: %s, storage: %s → %s', async (redis, storage, outcome) => {
    const { membership } = setUp({ redis, storage });
    const result = await membership.require('c', 'user').then(
      () => 'ok',
      (error: TidingsError) => error.code,
    );
    expect(result).toBe(outcome);
  });

  it('fills Redis with what storage said', async () => {
    const { membership, filled } = setUp({ redis: 'nothing', storage: 'member' });
    await membership.require('c', 'user');
    expect(filled).toEqual(['c']);
  });

  it('asks once for all who ask in one turn', async () => {
    const { membership, asked } = setUp({ redis: 'nothing', storage: 'member' });
    await Promise.all([1, 2, 3].map(() => membership.require('c', 'user')));
    expect(asked).toEqual(['redis', 'storage']);
  });
});

describe('Membership.changed', () => {
  it('asks anew, also when what is being asked for may be older than the change', async () => {
    const { membership, sources, at } = setUp({ redis: 'member', storage: 'outsider' });
    await membership.require('c', 'user');
    expect(membership.isKnown('c', 'user')).toBe(true);
    at(600);
    // In use: it is being refreshed now, from before the change.
    expect(membership.isKnown('c', 'user')).toBe(true);
    at(601);
    membership.changed('c');
    expect(membership.isKnown('c', 'user')).toBe(false);
    await new Promise((resolve) => setImmediate(resolve));
    expect(membership.isKnown('c', 'user')).toBe(false);
    at(602);
    sources.redis = 'outsider';
    await expect(membership.require('c', 'user')).rejects.toThrow();
    sources.redis = 'member';
    await membership.require('c', 'user');
    expect(membership.isKnown('c', 'user')).toBe(true);
  });
});

describe('Membership.requireSender', () => {
  it.each<[Source, Source, string]>([
    ['member', 'away', 'ok'],
    ['blocked', 'away', 'blocked'],
    ['nothing', 'blocked', 'blocked'],
    ['away', 'blocked', 'blocked'],
    ['outsider', 'outsider', 'no_such_conversation'],
    ['away', 'away', 'unavailable'],
  ])('redis: %s, storage: %s → %s', async (redis, storage, outcome) => {
    const { membership } = setUp({ redis, storage });
    const result = await membership.requireSender('c', 'user').then(
      () => 'ok',
      (error: TidingsError) => error.code,
    );
    expect(result).toBe(outcome);
  });

  it('leaves a blocked user a member', async () => {
    const { membership } = setUp({ redis: 'blocked', storage: 'away' });
    await membership.require('c', 'user');
    expect(membership.isKnown('c', 'user')).toBe(true);
    expect(membership.maySend('c', 'user')).toBe(false);
  });

  it('asks nobody for each send of a blocked user, and learns of the end of the block', async () => {
    const { membership, asked, at, sources } = setUp({ redis: 'blocked', storage: 'away' });
    const send = () =>
      membership.requireSender('c', 'user').then(
        () => 'ok',
        (error: TidingsError) => error.code,
      );
    for (let n = 0; n < 10; n++) expect(await send()).toBe('blocked');
    expect(asked).toEqual(['redis']);
    sources.redis = 'member';
    at(1_001);
    expect(await send()).toBe('ok');
    expect(membership.maySend('c', 'user')).toBe(true);
  });

  it('lets nobody send for longer than a second after the block', async () => {
    const { membership, at, sources } = setUp({ redis: 'member', storage: 'away' });
    await membership.requireSender('c', 'user');
    sources.redis = 'blocked';
    at(1_000);
    expect(membership.maySend('c', 'user')).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(membership.maySend('c', 'user')).toBe(false);
    expect(membership.isKnown('c', 'user')).toBe(true);
  });
});

describe('Membership.terms', () => {
  it('are those of the conversation, for a second at most after they have changed', async () => {
    const { membership, at, world } = setUp({ redis: 'member', storage: 'away' });
    expect(membership.terms('c', 'user')).toBeNull();
    expect(await membership.requireSender('c', 'user')).toMatchObject({ ttlSeconds: null });
    world.ttlSeconds = 10;
    at(1_000);
    expect(membership.terms('c', 'user')).toMatchObject({ ttlSeconds: null });
    at(1_001);
    expect(membership.terms('c', 'user')).toBeNull();
    expect(await membership.requireSender('c', 'user')).toMatchObject({ ttlSeconds: 10 });
    expect(membership.terms('c', 'user')).toMatchObject({ ttlSeconds: 10 });
  });

  it('are asked from storage when Redis is away', async () => {
    const { membership, world } = setUp({ redis: 'away', storage: 'member' });
    world.ttlSeconds = 10;
    expect(await membership.requireSender('c', 'user')).toMatchObject({ ttlSeconds: 10 });
  });
});

describe('Membership.isKnown', () => {
  it('is a positive answer for a second at most', async () => {
    const { membership, at } = setUp({ redis: 'member', storage: 'away' });
    expect(membership.isKnown('c', 'user')).toBe(false);
    await membership.require('c', 'user');
    at(1_000);
    expect(membership.isKnown('c', 'user')).toBe(true);
    expect(membership.isKnown('c', 'stranger')).toBe(false);
    at(1_001);
    expect(membership.isKnown('c', 'user')).toBe(false);
  });

  it('asks anew in the background while it is used, so that a removal shows', async () => {
    const { membership, at, sources, asked } = setUp({ redis: 'member', storage: 'outsider' });
    await membership.require('c', 'user');
    sources.redis = 'gone';
    at(501);
    expect(membership.isKnown('c', 'user')).toBe(true);
    expect(membership.isKnown('c', 'user')).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(membership.isKnown('c', 'user')).toBe(false);
    expect(asked).toEqual(['redis', 'redis']);
  });
});

describe('Redis’ copy of a conversation in use', () => {
  const MINUTE = 60_000;

  it('is renewed from storage twice in its life, so that it outlasts an outage of storage', async () => {
    const { membership, at, asked, filled, sources } = setUp({
      redis: 'member',
      storage: 'member',
    });
    const useAt = async (minutes: number) => {
      at(minutes * MINUTE);
      await membership.requireSender('c', 'user');
      await new Promise((resolve) => setTimeout(resolve, 1));
    };
    await useAt(0);
    expect(filled).toEqual([]);
    await useAt(1);
    await eventually(() => expect(filled).toHaveLength(1));
    for (let minute = 2; minute < 31; minute++) await useAt(minute);
    await eventually(() => expect(filled).toHaveLength(1));
    await useAt(31);
    await eventually(() => expect(filled).toHaveLength(2));

    sources.storage = 'away';
    for (let minute = 60; minute < 70; minute += 0.5) await useAt(minute);
    expect(filled).toHaveLength(2);
    // once a minute, not at every use
    expect(asked.filter((who) => who === 'storage').length).toBeLessThanOrEqual(2 + 10);
    sources.storage = 'member';
    await useAt(71);
    await eventually(() => expect(filled).toHaveLength(3));
  });
});
