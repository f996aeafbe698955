import { type SideBySide, sideBySide } from '../side-by-side';
import { runReport } from '../testing/run-report';
import { pageOf } from './page';

const HOSTILE = `"><script src=//evil></script><img onerror='x'>`;

function sides(label: string, reason: string): SideBySide {
  const verdict = { outcome: 'FAILED', reasons: [reason] } as const;
  const bad = runReport({ verdict: { ...verdict, reasons: [...verdict.reasons] } });
  return sideBySide([
    { label: '1 gateway', runs: [runReport()] },
    { label, runs: [bad] },
  ]);
}

describe('pageOf', () => {
  const page = pageOf('1 000 msg/s', sides('2 gateways', 'lost × 2'));

  it('shows charts, table and reasons', () => {
    expect(page.match(/<svg /g)).toHaveLength(3);
    expect(page).toContain('<pre>1 000 msg/s</pre>');
    expect(page).toMatch(/<th scope="row">send → delivered p99, ms<\/th><td>9.00<\/td>/);
    expect(page).toContain('<td class="good">PASSED</td><td class="bad">FAILED</td>');
    expect(page).toContain('<li>2 gateways: lost × 2</li>');
  });

  it('loads nothing', () => {
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    expect(page).not.toMatch(/<(script|link|img|iframe|object|embed|use|image)\b|@import|url\(/i);
    expect(page).not.toMatch(/\b(src|href|action)=|https?:|\/\//i);
  });

  it('can be read on a dark screen', () => {
    expect(page).toContain('color-scheme: light dark');
    expect(page).toContain('prefers-color-scheme: dark');
  });

  it('escapes what comes from outside', () => {
    const hostile = pageOf(HOSTILE, sides(HOSTILE, HOSTILE));
    expect(hostile).not.toMatch(/<script|<img|onerror='/);
    expect(hostile.match(/&quot;&gt;&lt;script/g)!.length).toBeGreaterThan(5);
  });
});
