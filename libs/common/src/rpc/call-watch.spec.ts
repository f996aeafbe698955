import { pino } from 'pino';
import { CallWatch } from './call-watch';
import { Metrics } from '../runtime/metrics';

describe('which calls to other services fail', () => {
  let nowMs: number;
  let lines: Record<string, unknown>[];
  let metrics: Metrics;
  let watch: CallWatch;

  beforeEach(() => {
    nowMs = Date.parse('2026-01-01T00:00:00Z');
    lines = [];
    metrics = new Metrics({ service: 'gateway', node: 'gateway-1' });
    const logger = pino(
      { level: 'info' },
      { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) },
    );
    watch = new CallWatch(metrics, logger, () => nowMs);
  });

  it('is told by peer, with since when and the last cause, until the call works again', async () => {
    const storage = watch.of('storage');
    expect(watch.list()).toEqual([]);
    storage.failed('a:1', 'accounts.login', 'broken', 'the answer has no outcome');
    nowMs += 1_000;
    storage.failed('a:1', 'accounts.login', 'late', 'no answer');
    storage.answered('a:1', 'users.get');
    storage.answered('b:1', 'accounts.login');
    expect(watch.list()).toEqual([
      {
        service: 'storage',
        node: 'a:1',
        call: 'accounts.login',
        since: '2026-01-01T00:00:00.000Z',
        last: '2026-01-01T00:00:01.000Z',
        failures: 2,
        cause: 'late: no answer',
      },
    ]);
    storage.answered('a:1', 'accounts.login');
    expect(watch.list()).toEqual([]);
    expect(lines.map(({ msg, call, failures }) => [msg, call, failures])).toEqual([
      ['an internal call fails', 'accounts.login', undefined],
      ['an internal call works again', 'accounts.login', 2],
    ]);
    const text = await metrics.registry.getSingleMetricAsString(
      'tidings_internal_call_failures_total',
    );
    for (const reason of ['broken', 'late']) {
      expect(text).toMatch(
        new RegExp(`service="storage",call="accounts.login",reason="${reason}".* 1`),
      );
    }
  });

  it('is forgotten some time after the last failure, and causes have a bound', () => {
    const presence = watch.of('presence');
    presence.failed('a:1', 'presence.get', 'error', 'x'.repeat(10_000));
    expect(watch.list()[0]!.cause).toHaveLength(200);
    nowMs += 10 * 60_000;
    expect(watch.list()).toHaveLength(1);
    nowMs += 1;
    expect(watch.list()).toEqual([]);
  });
});
