import type { ArgumentsHost } from '@nestjs/common';
import { pino } from 'pino';
import { TidingsError } from '@tidings/protocol/errors';
import { ErrorAnswers } from './error-answers';
import { Metrics } from './metrics';
import { ProblemFilter } from './problem.filter';

describe('an answer with a status of 500 or more', () => {
  it('has one line in the log, with its cause, and a count by route and code', async () => {
    const lines: Record<string, unknown>[] = [];
    const logger = pino(
      { level: 'info' },
      { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) },
    );
    const metrics = new Metrics({ service: 'gateway', node: 'gateway-1' });
    const filter = new ProblemFilter(new ErrorAnswers(logger, metrics));
    const answer = (thrown: unknown, route?: string): void => {
      const response = { setHeader: () => response, send: () => response } as never as {
        status: () => unknown;
        type: () => unknown;
      };
      response.status = () => response;
      response.type = () => response;
      const request = { id: 'r1', method: 'POST', path: '/v1/x', route: route && { path: route } };
      const http = { getRequest: () => request, getResponse: () => response };
      filter.catch(thrown, { switchToHttp: () => http } as never as ArgumentsHost);
    };
    answer(new TidingsError('unavailable', { cause: new Error('ECONNREFUSED') }), '/v1/users/:id');
    answer(new Error('a defect'));
    answer(new TidingsError('not_found'), '/v1/users/:id');
    expect(lines.map(({ level, code, route }) => [level, code, route])).toEqual([
      [40, 'unavailable', '/v1/users/:id'],
      [50, 'internal', 'none'],
    ]);
    expect(JSON.stringify(lines[0])).toContain('ECONNREFUSED');
    const text = await metrics.registry.getSingleMetricAsString('tidings_http_errors_total');
    expect(text).toContain('{method="POST",route="/v1/users/:id",code="unavailable"');
    expect(text).toContain('{method="other",route="none",code="internal"');
    expect(text).not.toContain('not_found');
  });
});
