import { childEnvironment } from './service-node';

describe('the environment of a service', () => {
  const before = { ...process.env };
  afterEach(() => {
    process.env = { ...before };
  });

  it('is our own, without what the stack decides', () => {
    Object.assign(process.env, { LOG_LEVEL: 'debug', PORT: '1', REDIS_URL: 'redis://other' });
    Object.assign(process.env, { REDIS_PASSWORD: 'other', DATABASE_PASSWORD: 'other' });
    const env = childEnvironment({ PORT: '8080' });
    expect(env).toMatchObject({ LOG_LEVEL: 'debug', PORT: '8080' });
    for (const name of ['REDIS_URL', 'REDIS_PASSWORD', 'DATABASE_PASSWORD']) {
      expect(env[name]).toBeUndefined();
    }
  });
});
