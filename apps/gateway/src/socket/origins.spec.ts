import { isAllowedOrigin } from './origins';

const ALLOWED = ['https://app.example', 'http://localhost:3000'];

describe('isAllowedOrigin', () => {
  it.each([
    { origin: undefined, host: 'chat.example', allowed: true, why: 'no browser' },
    { origin: 'https://app.example', host: 'chat.example', allowed: true, why: 'listed' },
    { origin: 'http://localhost:3000', host: 'chat.example', allowed: true, why: 'listed' },
    { origin: 'https://chat.example', host: 'chat.example', allowed: true, why: 'same host' },
    { origin: 'http://h:8080', host: 'h:8080', allowed: true, why: 'same host and port' },
    { origin: 'http://h:8081', host: 'h:8080', allowed: false, why: 'other port' },
    { origin: 'null', host: 'chat.example', allowed: false, why: 'sandboxed page' },
    { origin: 'https://app.example.evil', host: 'chat.example', allowed: false, why: 'suffix' },
    { origin: 'https://evil-app.example', host: 'chat.example', allowed: false, why: 'prefix' },
    { origin: 'https://app.example:444', host: 'chat.example', allowed: false, why: 'port' },
    { origin: 'http://app.example', host: 'chat.example', allowed: false, why: 'scheme' },
    { origin: 'https://chat.example.evil', host: 'chat.example', allowed: false, why: 'suffix' },
    { origin: '', host: undefined, allowed: false, why: 'empty' },
  ])('$origin at $host: $allowed ($why)', ({ origin, host, allowed }) => {
    expect(isAllowedOrigin(origin, host, ALLOWED)).toBe(allowed);
  });

  it('allows nothing foreign without a list', () => {
    expect(isAllowedOrigin('https://app.example', 'chat.example', [])).toBe(false);
  });
});
