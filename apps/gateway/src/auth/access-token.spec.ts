import { createHmac, createSign, generateKeyPairSync } from 'node:crypto';
import {
  DEVICE_ID,
  GENERATION,
  SECRET,
  startFakeGateway,
  USER_ID,
  type FakeGateway,
} from '../testing/fake-gateway';

const PREVIOUS = 'the secret before, also of more than thirty-two bytes';
const now = Math.floor(Date.now() / 1000);
const HEADER = { alg: 'HS256', typ: 'JWT' };
const CLAIMS = {
  sub: USER_ID,
  did: DEVICE_ID,
  gen: GENERATION,
  seq: 1,
  iat: now,
  exp: now + 600,
  iss: 'tidings',
  aud: 'tidings-api',
};

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

function token(header: unknown, claims: unknown, secret: string | null = SECRET): string {
  const signed = `${encode(header)}.${encode(claims)}`;
  const mac =
    secret === null ? '' : createHmac('sha256', secret).update(signed).digest('base64url');
  return `${signed}.${mac}`;
}

function rsaToken(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const signed = `${encode({ ...HEADER, alg: 'RS256' })}.${encode(CLAIMS)}`;
  return `${signed}.${createSign('sha256').update(signed).sign(privateKey).toString('base64url')}`;
}

const without = (name: string) =>
  Object.fromEntries(Object.entries(CLAIMS).filter(([key]) => key !== name));

let gateway: FakeGateway;

beforeAll(async () => {
  gateway = await startFakeGateway({
    env: { JWT_SECRET_PREVIOUS: PREVIOUS },
    answers: { 'accounts.me': { id: USER_ID } },
  });
});

afterAll(() => gateway.app.close());

async function ask(authorization?: string) {
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
  const response = await fetch(`${gateway.url}/me`, { headers });
  const body = (await response.json()) as { code?: string };
  return { status: response.status, code: body.code };
}

describe('an access token', () => {
  it.each([
    { name: 'a good one', token: token(HEADER, CLAIMS) },
    { name: 'one signed with the secret before', token: token(HEADER, CLAIMS, PREVIOUS) },
  ])('$name is let in', async ({ token }) => {
    expect((await ask(`Bearer ${token}`)).status).toBe(200);
  });

  it('has a leeway of some seconds', async () => {
    const exp = Math.floor(Date.now() / 1000) - 1;
    expect((await ask(`Bearer ${token(HEADER, { ...CLAIMS, exp })}`)).status).toBe(200);
  });

  it.each([
    { name: 'no signature', token: token({ alg: 'none', typ: 'JWT' }, CLAIMS, null) },
    { name: 'alg none with a signature', token: token({ alg: 'none', typ: 'JWT' }, CLAIMS) },
    { name: 'alg HS512', token: token({ ...HEADER, alg: 'HS512' }, CLAIMS) },
    { name: 'alg RS256 over our secret', token: token({ ...HEADER, alg: 'RS256' }, CLAIMS) },
    { name: 'a real RS256 token', token: rsaToken() },
    { name: 'a wrong key', token: token(HEADER, CLAIMS, 'another secret') },
    { name: 'an empty key', token: token(HEADER, CLAIMS, '') },
    { name: 'kid path', token: token({ ...HEADER, kid: '../../dev/null' }, CLAIMS, '') },
    { name: 'kid SQL', token: token({ ...HEADER, kid: "x' UNION SELECT ''" }, CLAIMS, '') },
    { name: 'jku', token: token({ ...HEADER, jku: 'http://evil.example' }, CLAIMS, 'evil') },
    { name: 'jwk', token: token({ ...HEADER, jwk: { kty: 'oct', k: 'ZXZpbA' } }, CLAIMS, 'evil') },
    { name: 'another typ', token: token({ ...HEADER, typ: 'at+jwt' }, CLAIMS) },
    { name: 'no typ', token: token({ alg: 'HS256' }, CLAIMS) },
    { name: 'no exp', token: token(HEADER, without('exp')) },
    { name: 'exp as text', token: token(HEADER, { ...CLAIMS, exp: '9999999999' }) },
    { name: 'future nbf', token: token(HEADER, { ...CLAIMS, nbf: now + 600 }) },
    { name: 'another issuer', token: token(HEADER, { ...CLAIMS, iss: 'evil' }) },
    { name: 'another audience', token: token(HEADER, { ...CLAIMS, aud: 'evil' }) },
    { name: 'no audience', token: token(HEADER, without('aud')) },
    { name: 'no device', token: token(HEADER, without('did')) },
    { name: 'no generation', token: token(HEADER, without('gen')) },
    { name: 'no sequence', token: token(HEADER, without('seq')) },
    { name: 'a subject that is no id', token: token(HEADER, { ...CLAIMS, sub: "' OR 1=1" }) },
    { name: 'a login that has ended', token: token(HEADER, { ...CLAIMS, gen: GENERATION - 1 }) },
    { name: 'a login to come', token: token(HEADER, { ...CLAIMS, gen: GENERATION + 1 }) },
    { name: 'claims that are a string', token: token(HEADER, '"claims"') },
    { name: 'claims that are null', token: token(HEADER, 'null') },
    { name: 'claims that are a number', token: token(HEADER, '7') },
    { name: 'claims that are a truth value', token: token(HEADER, 'true') },
    { name: 'claims that are an array', token: token(HEADER, '[]') },
    { name: 'claims that are an array of claims', token: token(HEADER, [CLAIMS]) },
    { name: 'claims that are no JSON', token: token(HEADER, '{') },
    { name: 'no claims', token: token(HEADER, '') },
    { name: 'a header that is null', token: token('null', CLAIMS) },
    { name: 'a header that is a number', token: token('7', CLAIMS) },
    { name: 'a header that is an array', token: token('[]', CLAIMS) },
    { name: 'garbage', token: 'garbage' },
    { name: 'nothing', token: '' },
  ])('$name: 401 unauthorized', async ({ token }) => {
    expect(await ask(`Bearer ${token}`)).toEqual({ status: 401, code: 'unauthorized' });
  });

  it('that has expired is told from a wrong one', async () => {
    const expired = token(HEADER, { ...CLAIMS, exp: now - 60 });
    expect(await ask(`Bearer ${expired}`)).toEqual({ status: 401, code: 'token_expired' });
  });

  it.each([undefined, 'Basic dTpw', `Token ${token(HEADER, CLAIMS)}`, token(HEADER, CLAIMS)])(
    'is expected as a bearer: %s',
    async (authorization) => {
      expect(await ask(authorization)).toEqual({ status: 401, code: 'unauthorized' });
    },
  );

  it('is not taken from the query string', async () => {
    const response = await fetch(`${gateway.url}/me?access_token=${token(HEADER, CLAIMS)}`);
    expect(response.status).toBe(401);
  });
});
