import { generation, id, InvalidRedisId, KEYS, TTL } from './keys';

const USER = '01890a5d-ac96-774b-bcce-b302099a8057';
const DEVICE = '01890a5d-ac97-7c3a-8f10-2b7d5c7e9a11';

describe('keys', () => {
  it.each(['a:b', 'a{b', 'a}b', 'a\nb', 'a|b', 'a b', 'a,b', 'ä', '', '\0', 'x'.repeat(129)])(
    'refuses the id %j',
    (value) => {
      expect(() => id(value)).toThrow(InvalidRedisId);
      expect(() => KEYS.routes(value)).toThrow(InvalidRedisId);
      expect(() => KEYS.resume(USER, value)).toThrow(InvalidRedisId);
      expect(() => KEYS.inbox('gateway-1', value)).toThrow(InvalidRedisId);
      expect(() => KEYS.lease(value)).toThrow(InvalidRedisId);
      expect(() => KEYS.members(value)).toThrow(InvalidRedisId);
      expect(() => KEYS.groupMembers(value)).toThrow(InvalidRedisId);
      expect(() => KEYS.nodeLease(value)).toThrow(InvalidRedisId);
      expect(() => KEYS.nodeEviction('node', value)).toThrow(InvalidRedisId);
    },
  );

  it.each(['gateway-1', 'gw.example.org', 'a_B-9', USER])('passes the id %j', (value) => {
    expect(id(value)).toBe(value);
  });

  it.each(['-1', '1.5', '01', '', '1e3', '12345678901234567', ' 1', '1\n'])(
    'refuses the generation %j',
    (value) => expect(() => generation(value)).toThrow(InvalidRedisId),
  );

  it.each(['0', '1763720000000000'])('passes the generation %j', (value) => {
    expect(generation(value)).toBe(value);
  });

  it('keeps the keys of one user and of one gateway in one slot each', () => {
    const tag = (key: string) => /\{([^}]*)\}/.exec(key)?.[1];
    const ofUser = [
      KEYS.routes(USER),
      KEYS.resume(USER, DEVICE),
      KEYS.generation(USER, DEVICE),
      KEYS.logins(USER),
    ];
    const ofGateway = [
      KEYS.lease('g1'),
      KEYS.deadBoot('g1', 'b1'),
      KEYS.inbox('g1', 'b1'),
      KEYS.inboxCounters('g1', 'b1'),
    ];
    expect(new Set(ofUser.map(tag))).toEqual(new Set([`u:${USER}`]));
    expect(new Set(ofGateway.map(tag))).toEqual(new Set(['g:g1']));
    expect(new Set([...ofUser, ...ofGateway]).size).toBe(8);
  });

  it('gives every kind of key a bounded life', () => {
    for (const seconds of Object.values(TTL)) expect(seconds).toBeLessThanOrEqual(30 * 24 * 3600);
  });
});
