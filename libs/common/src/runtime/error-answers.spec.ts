import { pino } from 'pino';
import { TidingsError } from '@tidings/protocol/errors';
import { ErrorAnswers } from './error-answers';
import { Metrics } from './metrics';

describe('refusals on a socket that blame the server', () => {
  it('are all counted, and the same one is logged once in a while, with those left out', async () => {
    const lines: Record<string, unknown>[] = [];
    const logger = pino(
      { level: 'info' },
      { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) },
    );
    const metrics = new Metrics({ service: 'gateway', node: 'g' });
    let now = 0;
    const answers = new ErrorAnswers(logger, metrics, () => now);
    const frame = (route: string) => ({ method: 'WS', route });
    const cause = new Error('ECONNREFUSED');
    for (let n = 0; n < 5; n++) {
      answers.noteOften(frame('send'), new TidingsError('unavailable', { cause }));
    }
    answers.noteOften(frame('edit'), new TidingsError('internal'));
    answers.noteOften(frame('send'), new TidingsError('rate_limited'));
    now = 20_000;
    answers.noteOften(frame('send'), new TidingsError('unavailable', { cause }));
    expect(lines.map(({ level, route, repeated }) => [level, route, repeated])).toEqual([
      [40, 'send', undefined],
      [50, 'edit', undefined],
      [40, 'send', 4],
    ]);
    expect(JSON.stringify(lines[0])).toContain('ECONNREFUSED');
    const text = await metrics.registry.getSingleMetricAsString('tidings_http_errors_total');
    expect(text).toMatch(/method="WS",route="send",code="unavailable".* 6$/m);
    expect(text).not.toContain('rate_limited');
  });
});
