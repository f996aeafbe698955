import { markup } from './markup';

describe('markup', () => {
  it.each([
    ['<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
    [`" onload="x`, '&quot; onload=&quot;x'],
    [`' onload='x`, '&#39; onload=&#39;x'],
    ['&lt;', '&amp;lt;'],
    ['µs → 5 %', 'µs → 5 %'],
    [7.5, '7.5'],
  ])('escapes %j', (value, text) => {
    expect(markup`<b title="${value}">${value}</b>`.toString()).toBe(
      `<b title="${text}">${text}</b>`,
    );
  });

  it('leaves markup as it is, also in lists', () => {
    const items = ['<', '>'].map((one) => markup`<li>${one}</li>`);
    expect(markup`<ul>${items}</ul>${markup``}`.toString()).toBe(
      '<ul><li>&lt;</li><li>&gt;</li></ul>',
    );
  });
});
