import { createHmac } from 'node:crypto';
import { spreadPairs } from './pipeline';
import { spread } from './report';
import { signAccessToken } from './tokens';

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
