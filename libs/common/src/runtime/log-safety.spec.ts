import { Writable } from 'node:stream';
import { pino } from 'pino';
import { createLogger, loggerOptions } from './logger';
import { safeFields, safeText } from './log-safety';

/** What a logger writes, line by line. */
function written(): { lines: string[]; logger: ReturnType<typeof createLogger> } {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(...chunk.toString('utf8').trimEnd().split('\n'));
      done();
    },
  });
  const options = loggerOptions({ service: 's', nodeId: 'n', level: 'info' });
  return { lines, logger: pino(options, stream) };
}

// JSON escapes only C0; what is left of these would reach a terminal as it is
const NASTY = ['\r\n', '\u001b[31m', '\u0000', '\u0085', '\u009b31m', '\u202e', '\u2028', '\ud800'];

describe('a log line', () => {
  it.each(NASTY.map((nasty) => [JSON.stringify(nasty), nasty]))(
    'shows %s instead of obeying it, wherever it is',
    (_name, nasty) => {
      const { lines, logger } = written();
      const text = `a${nasty}b`;
      logger.warn({ text1: text, [text]: 1, list: [{ text1: text }] }, text);
      logger.error({ err: new Error(text, { cause: new Error(text) }) }, 'failed');
      logger.error(new Error(text));
      logger.info(`says ${text}`);
      logger.info({ a: 1 }, 'says %s', text);
      expect(lines).toHaveLength(5);
      for (const line of lines) {
        expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2028\u2029]/);
        const shown = line.replace(/\\n {4,}at [^"]*/g, '');
        expect(shown).not.toMatch(/\\r|\\u00[019]|a\\nb/i);
      }
    },
  );

  it('is bounded, whatever it is about', () => {
    const { lines, logger } = written();
    const huge = 'x'.repeat(100_000);
    const deep = JSON.parse('{"a":'.repeat(500) + '1' + '}'.repeat(500)) as object;
    const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`${i}`, huge]));
    logger.warn({ huge, deep, list: Array(10_000).fill(huge), [huge]: 1 }, huge);
    logger.error({ err: new Error(huge) }, 'failed');
    logger.warn({ wide }, 'wide');
    for (const line of lines) expect(line.length).toBeLessThan(40_000);
    expect(lines).toHaveLength(3);
  });

  it('still has its error, and hides what is secret', () => {
    const { lines, logger } = written();
    const error = Object.assign(new Error('broken'), { code: 'E1' });
    logger.error({ err: error, body: { password: 'hush', name: 'ann' }, n: 5n }, 'failed');
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: 'error',
      msg: 'failed',
      body: { password: '[redacted]', name: 'ann' },
      n: '5',
      err: { type: 'Error', message: 'broken', code: 'E1' },
    });
    expect(lines[0]).toContain('log-safety.spec');
  });
});

describe('safeFields', () => {
  it('leaves what is harmless as it is', () => {
    const fields = { a: 'é 👍', b: [1, true, null], c: { d: undefined } };
    expect(safeFields(fields)).toEqual(fields);
    expect(safeText('plain')).toBe('plain');
  });
});
