import { createHmac } from 'node:crypto';
import type { Subject } from './args';
import { orderOf, spreadGroups, spreadPairs } from './pipeline';
import { presenceChanges } from './presence-probe';
import { spread } from './report';
import { signAccessToken } from './tokens';

describe('the order of a round', () => {
  it.each<[number, Subject[], Subject[]]>([
    [1, ['baseline', 'product'], ['baseline', 'product']],
    [2, ['baseline', 'product'], ['product', 'baseline']],
    [3, ['baseline', 'product'], ['baseline', 'product']],
    [2, ['product'], ['product']],
  ])('%i of %j', (round, subjects, expected) => {
    expect(orderOf(round, subjects)).toEqual(expected);
  });
});

describe('spreadPairs', () => {
  it.each([1, 2, 3])('spreads evenly over %i gateways', (gateways) => {
    const wanted = spreadPairs(120, gateways);
    for (let gateway = 0; gateway < gateways; gateway++) {
      expect(wanted.filter((one) => one === gateway)).toHaveLength(240 / gateways);
    }
  });

  it.each([2, 3])('puts every other pair on two of %i gateways', (gateways) => {
    const wanted = spreadPairs(120, gateways);
    const apart = wanted.filter((one, index) => index % 2 === 0 && one !== wanted[index + 1]);
    expect(apart).toHaveLength(60);
  });
});

describe('spreadGroups', () => {
  it.each([
    [1, 500, 2],
    [50, 10, 2],
    [4, 3, 3],
  ])('spreads each of %i groups of %i evenly over %i gateways', (groups, online, gateways) => {
    const wanted = spreadGroups(groups, online, gateways);
    expect(wanted).toHaveLength(groups * online);
    for (let group = 0; group < groups; group++) {
      const members = wanted.slice(group * online, (group + 1) * online);
      for (let gateway = 0; gateway < gateways; gateway++) {
        expect(members.filter((one) => one === gateway)).toHaveLength(online / gateways);
      }
    }
  });
});

it.each([
  ['nothing', { events: 5, told: ['a', 'b'] }, { events: 0, users: 0 }],
  ['an event', { events: 6, told: ['a', 'b'] }, { events: 1, users: 0 }],
  ['what is told of a user', { events: 5, told: ['a', 'c'] }, { events: 0, users: 1 }],
])('sees changes of presence: %s', (_, after, changes) => {
  expect(presenceChanges({ events: 5, told: ['a', 'b'] }, after)).toEqual(changes);
});

it('signs tokens that verify', () => {
  const token = signAccessToken('secret', {
    userId: 'u',
    deviceId: 'd',
    nowMs: 5000,
    lifetimeSeconds: 60,
  });
  const [head, body, mac] = token.split('.') as [string, string, string];
  expect(mac).toBe(createHmac('sha256', 'secret').update(`${head}.${body}`).digest('base64url'));
  expect(JSON.parse(Buffer.from(body, 'base64url').toString())).toEqual({
    sub: 'u',
    did: 'd',
    gen: 1,
    seq: 1,
    iss: 'tidings',
    aud: 'tidings-api',
    iat: 5,
    exp: 65,
  });
});

describe('spread', () => {
  it.each([
    [[3], { min: 3, median: 3, max: 3 }],
    [[9, 1, 4], { min: 1, median: 4, max: 9 }],
    [[4, 1, 2, 9], { min: 1, median: 3, max: 9 }],
  ])('%j', (values, expected) => {
    expect(spread(values)).toEqual(expected);
  });
});
