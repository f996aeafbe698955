import { commonEnv, EnvironmentError, jwtEnv, loadEnv } from './env';

const good = { NODE_ID: 'gateway-1', PORT: '8080', CLUSTER_SECRET: 'short' };

describe('loadEnv', () => {
  const nodeEnv = process.env['NODE_ENV'];
  afterEach(() => {
    process.env['NODE_ENV'] = nodeEnv;
  });

  it('gives one typed object', () => {
    expect(loadEnv(commonEnv, good)).toMatchObject({ PORT: 8080, HOST: '127.0.0.1' });
  });

  it('names every variable that is missing or wrong', () => {
    expect(() => loadEnv(commonEnv, { NODE_ID: 'a b', PORT: '99999' })).toThrow(EnvironmentError);
    expect(() => loadEnv(commonEnv, { NODE_ID: 'a b', PORT: '99999' })).toThrow(
      /NODE_ID[\s\S]*PORT[\s\S]*CLUSTER_SECRET: is missing/,
    );
  });

  it.each([
    ['short', 'at least 32 bytes'],
    ['please-change-this-secret-please-change-this', 'example'],
    ['a'.repeat(64), 'example'],
  ])('refuses the secret %j in production', (value, reason) => {
    process.env['NODE_ENV'] = 'production';
    expect(() => loadEnv(jwtEnv, { JWT_SECRET: value })).toThrow(reason);
  });

  it('accepts a real secret in production', () => {
    process.env['NODE_ENV'] = 'production';
    const value = 'dTm3vU8sQkz1yXw0Rb7nLh5cJf2gPa9eVoIiKq4W6xY';
    expect(loadEnv(jwtEnv, { JWT_SECRET: value }).JWT_SECRET).toBe(value);
  });
});
