import { SecurityLog } from './security-log';

function setUp() {
  let now = 0;
  const lines: { fields: Record<string, unknown>; message: unknown }[] = [];
  const warn = (fields: Record<string, unknown>, message: unknown): void => {
    lines.push({ fields, message });
  };
  const log = new SecurityLog({ warn } as never, () => now);
  return { log, lines, at: (ms: number) => (now = ms) };
}

describe('SecurityLog', () => {
  it('writes one structured line with what is known, and nothing else', () => {
    const { log, lines } = setUp();
    const about = { userId: 'u', address: '10.0.0.1', password: 'secret' };
    log.note('login_failed', about);
    expect(lines).toHaveLength(1);
    expect(lines[0]!.message).toBe('security');
    expect(JSON.parse(JSON.stringify(lines[0]!.fields))).toEqual({
      event: 'login_failed',
      userId: 'u',
      address: '10.0.0.1',
    });
  });

  it('counts what comes too fast, and says so in the next line', () => {
    const { log, lines, at } = setUp();
    for (let n = 0; n < 1_000; n++) log.note('ticket_refused', {});
    expect(lines).toHaveLength(100);
    at(50);
    log.note('ticket_refused', {});
    log.note('ticket_refused', {});
    expect(lines).toHaveLength(101);
    expect(lines[100]!.fields['suppressed']).toBe(900);
    at(100);
    log.note('ticket_refused', {});
    expect(lines[101]!.fields['suppressed']).toBe(1);
  });
});
