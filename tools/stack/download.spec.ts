import { mavenFailure } from './download';
import { platformOf } from './platform';

describe('download of the servers', () => {
  it('tells a network failure from a broken file, in one sentence', () => {
    const network =
      '\u001b[31m[ERROR]\u001b[m Could not transfer artifact x from central -> [Help 1]\n[ERROR] more';
    expect(mavenFailure(network)).toBe(
      "Maven could not download the servers (Could not transfer artifact x from central): check the network and Maven's settings.xml, then run this again.",
    );
    expect(mavenFailure('[ERROR] Error unpacking file: a.jar: zip END header not found')).toMatch(
      /broken.*delete/,
    );
  });

  it.each([
    ['linux', 'x64', 'linux-amd64', 'linux-amd64'],
    ['linux', 'arm64', 'linux-arm64v8', 'linux-arm64'],
    ['darwin', 'x64', 'darwin-amd64', 'darwin-amd64'],
    ['darwin', 'arm64', 'darwin-arm64v8', 'darwin-arm64'],
  ])('exists for %s %s', (os, cpu, postgres, redis) => {
    expect(platformOf(os, cpu)).toEqual({ postgres, redis });
  });

  it('says what to do elsewhere', () => {
    expect(() => platformOf('win32', 'x64')).toThrow(/KAFKA_BROKERS/);
  });
});
