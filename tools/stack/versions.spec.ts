import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkDataVersion, parseVersions, pomVersions, versionLine } from './versions';

describe('server versions', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tidings-versions-'));
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const wrote = (line: string) => writeFileSync(join(dir, 'VERSION'), `${line}\n`);
  const VERSIONS = { kafka: '4.3.0', redis: '6.2.11', postgres: '18.4' };

  it('come from pom.xml, as the servers name themselves, beside those of their packages', () => {
    expect(pomVersions()).toEqual({
      servers: {
        kafka: expect.stringMatching(/^4\./),
        redis: expect.stringMatching(/^6\.2\.\d+$/),
        postgres: expect.stringMatching(/^18\.\d+$/),
      },
      packages: {
        kafka: expect.stringMatching(/^4\./),
        redis: expect.stringMatching(/^1\./),
        postgres: expect.stringMatching(/^18\.\d+\.\d+$/),
      },
    });
  });

  it('must all be named', () => {
    expect(() => parseVersions('<kafka.version>4</kafka.version>')).toThrow(/postgres\.version/);
  });

  it('bind a data directory, with a sentence for another version', () => {
    checkDataVersion(dir, VERSIONS);
    checkDataVersion(dir, VERSIONS);
    const other = { ...VERSIONS, postgres: '19.1' };
    expect(() => checkDataVersion(dir, other)).toThrow(/npm run reset/);
    expect(() => checkDataVersion(dir, other)).toThrow(versionLine(VERSIONS));
    expect(readFileSync(join(dir, 'VERSION'), 'utf8')).toBe(`${versionLine(VERSIONS)}\n`);
  });

  it.each([
    'kafka 4.3.0, redis 1.4.4, postgres 18.4.0', // as earlier checkouts wrote it
    'kafka 4.2.1, redis 6.2.11, postgres 18.4',
    'kafka 4.3.0, redis 6.2.12, postgres 18.5',
    'kafka 4.3, redis 6.0.16, postgres 18.0',
  ])('take data along that %s wrote', (line) => {
    wrote(line);
    checkDataVersion(dir, VERSIONS);
    expect(readFileSync(join(dir, 'VERSION'), 'utf8')).toBe(`${versionLine(VERSIONS)}\n`);
  });

  it.each([
    ['kafka 4.3.1, redis 6.2.11, postgres 18.4', /older Kafka/],
    ['kafka 4.10.0, redis 6.2.11, postgres 18.4', /older Kafka/],
    ['kafka 4.3.0, redis 7.0.1, postgres 18.4', /older Redis/],
    ['kafka 4.3.0, redis 6.2.11, postgres 17.6', /major version/],
    ['', /not known/],
    ['kafka x', /not known/],
  ])('refuse data that "%s" wrote', (line, why) => {
    wrote(line);
    expect(() => checkDataVersion(dir, VERSIONS)).toThrow(why);
    expect(readFileSync(join(dir, 'VERSION'), 'utf8')).toBe(`${line}\n`);
  });
});
