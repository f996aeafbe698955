import type { SignedMediaQuery } from '@tidings/protocol/http';
import { signedMediaQuery } from '@tidings/protocol/http';
import { MediaUrls } from './media-urls';

const MEDIA = '01890a5d-ac96-474b-bcce-b302099a8001';
const OTHER = '01890a5d-ac96-474b-bcce-b302099a8002';
const NOW = 1_700_000_000_500;
const urls = new MediaUrls({ secret: 's', base: 'https://cdn.example', lifeSeconds: 300 });

function signed(expires = urls.expiry(NOW)): SignedMediaQuery {
  const url = new URL(urls.sign(MEDIA, { variant: 'original', user: OTHER, expires }));
  expect(url.origin + url.pathname).toBe(`https://cdn.example/v1/media/${MEDIA}/signed`);
  return signedMediaQuery.parse(Object.fromEntries(url.searchParams));
}

describe('MediaUrls', () => {
  it('knows its own until they end', () => {
    const query = signed();
    expect(urls.check(MEDIA, query, NOW)).toBe(300);
    expect(urls.check(MEDIA, query, NOW + 299_000)).toBe(1);
    expect(() => urls.check(MEDIA, query, NOW + 300_000)).toThrow('not valid');
  });

  it('end with what they show', () => {
    const inTenSeconds = new Date(NOW + 10_000).toISOString();
    expect(urls.expiry(NOW, inTenSeconds)).toBe(Math.floor(NOW / 1000) + 10);
    const query = signed(urls.expiry(NOW, inTenSeconds));
    expect(() => urls.check(MEDIA, query, NOW + 10_000)).toThrow('not valid');
  });

  it.each([
    ['another medium', OTHER, {}],
    ['another variant', MEDIA, { variant: 'thumbnail' as const }],
    ['another user', MEDIA, { user: MEDIA }],
    ['a later end', MEDIA, { expires: urls.expiry(NOW) + 1 }],
    ['another signature', MEDIA, { signature: 'A'.repeat(43) }],
  ])('refuses %s', (_, id, change) => {
    expect(() => urls.check(id, { ...signed(), ...change }, NOW)).toThrow('not valid');
  });

  it('refuses what was signed with another secret', () => {
    const others = new MediaUrls({ secret: 't', base: '', lifeSeconds: 300 });
    expect(() => others.check(MEDIA, signed(), NOW)).toThrow('not valid');
  });
});
