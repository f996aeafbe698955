import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { envExample, settingsPage } from '../../tools/settings/pages';
import { EnvironmentError, loadEnv } from '@tidings/common/runtime/env';
import { allSettings, SCHEMAS } from '../../tools/settings/services';

const read = (file: string): string => readFileSync(join(__dirname, '../..', file), 'utf8');

describe('the pages of settings agree with the schemas (npm run docs writes them)', () => {
  it.each([
    ['docs/SETTINGS.md', settingsPage],
    ['.env.example', envExample],
  ])('%s', (file, written) => expect(read(file)).toBe(written()));

  it.each(allSettings().map((setting) => [setting.name, setting] as const))(
    '%s says what it does',
    (_name, { description }) => expect(description).toMatch(/^[A-Z`].*[.`]$/s),
  );
});

/** What the services cannot do without. */
const NEEDED = {
  NODE_ID: 'x-1',
  PORT: '1',
  KAFKA_BROKERS: 'kafka:9092',
  REDIS_URL: 'redis://redis',
  DATABASE_URL: 'postgres://postgres/x',
  JWT_SECRET: 'j'.repeat(32),
  DATA_DIR: '/data',
  CLUSTER_SECRET: 'c'.repeat(32),
  MEDIA_DIR: '/media',
  PUBLIC_URL: 'wss://chat.example.org',
  INTERNAL_URL: 'http://storage:1',
  STORAGE_URLS: 'http://storage:1',
  PRESENCE_URLS: 'http://presence:1',
};

describe('settings that make something go wrong on purpose', () => {
  const all = allSettings();
  const forTests = all.filter(({ testsOnly }) => testsOnly);

  it('are these and no other', () => {
    expect(forTests.map(({ name }) => name).sort()).toEqual([
      'TEST_CLOCK_OFFSET_MS',
      'TEST_FAILPOINT',
    ]);
    const named = all.filter(({ name }) => /TEST|FAIL|OFFSET/.test(name));
    expect(named.filter(({ testsOnly }) => !testsOnly)).toEqual([]);
  });

  const cases = Object.entries(SCHEMAS).flatMap(([process, schema]) =>
    forTests
      .filter(({ services }) => (services as string[]).includes(process))
      .flatMap(({ name }) => [
        [process, name, { NODE_ENV: 'production' }, schema] as const,
        // nobody has said what this is, and it can be reached from outside
        ...('HOST' in schema.shape ? [[process, name, { HOST: '0.0.0.0' }, schema] as const] : []),
      ]),
  );

  it.each(cases)('of %s: %s is refused with %j', (_process, name, place, schema) => {
    const value = name === 'TEST_CLOCK_OFFSET_MS' ? '-1' : 'x:exit';
    const problems = (env: Record<string, string>): string => {
      try {
        loadEnv(schema, { ...env, [name]: value });
        return '';
      } catch (error) {
        if (!(error instanceof EnvironmentError)) throw error;
        return error.message;
      }
    };
    expect(problems({ ...NEEDED, ...place })).toContain(`${name} is for tests only`);
    expect(problems({ ...NEEDED, NODE_ENV: 'development' })).toBe('');
  });
});
