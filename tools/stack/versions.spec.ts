import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkDataVersion, parseVersions, serverVersions, versionLine } from './versions';

describe('server versions', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tidings-versions-'));
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('come from pom.xml', () => {
    expect(serverVersions()).toEqual({
      kafka: expect.stringMatching(/^4\./),
      redis: expect.any(String),
      postgres: expect.stringMatching(/^18\./),
    });
  });

  it('must all be named', () => {
    expect(() => parseVersions('<kafka.version>4</kafka.version>')).toThrow(/redis\.version/);
  });

  it('bind a data directory, with a sentence for another version', () => {
    const versions = { kafka: '4.3.0', redis: '1', postgres: '18' };
    checkDataVersion(dir, versions);
    checkDataVersion(dir, versions);
    const other = { ...versions, postgres: '19' };
    expect(() => checkDataVersion(dir, other)).toThrow(/npm run reset/);
    expect(() => checkDataVersion(dir, other)).toThrow(versionLine(versions));
  });

  it('go on with the data of another release of the same PostgreSQL', () => {
    const versions = { kafka: '4.3.0', redis: '1', postgres: '18.0.0' };
    checkDataVersion(dir, versions);
    checkDataVersion(dir, { ...versions, postgres: '18.4.0' });
    const other = { ...versions, postgres: '19.0.0' };
    expect(() => checkDataVersion(dir, other)).toThrow(/postgres 18\.4\.0; .* postgres 19\.0\.0/);
    expect(() => checkDataVersion(dir, { ...versions, kafka: '4.4.0' })).toThrow(/npm run reset/);
  });
});
