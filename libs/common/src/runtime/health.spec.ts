import { Readiness, tellReadiness } from './health';
import { Metrics } from './metrics';

function setUp() {
  const lines: string[] = [];
  const readiness = new Readiness({ warn: (_about, line) => void lines.push(line) });
  return { readiness, lines };
}

describe('readiness', () => {
  it('is not there before the start is complete, nor in a stop', () => {
    const { readiness } = setUp();
    expect(readiness.problems()).toEqual({ process: 'starting' });
    readiness.set(true);
    expect(readiness.problems()).toEqual({});
    readiness.set(false);
    expect(readiness.problems()).toEqual({ process: 'stopping' });
  });

  it('names each part that is not well', () => {
    const { readiness } = setUp();
    readiness.set(true);
    readiness.add('redis', () => 'connecting');
    readiness.add('kafka', () => null);
    expect(readiness.problems()).toEqual({ redis: 'connecting' });
  });

  it('is told in metrics: each part that is not well now, and no other', async () => {
    const { readiness } = setUp();
    const metrics = new Metrics({ service: 'storage', node: 's-1' });
    tellReadiness(metrics, readiness);
    const parts = async (): Promise<(string | undefined)[]> => {
      const page = await metrics.registry.metrics();
      return [...page.matchAll(/^tidings_not_ready\{part="(\w+)".*\} 1$/gm)].map(
        ([, part]) => part,
      );
    };
    expect(await parts()).toEqual(['process']);
    readiness.set(true);
    readiness.awaiting('database')('ECONNREFUSED');
    readiness.add('redis', () => 'connecting');
    expect(await parts()).toEqual(['redis', 'database']);
    readiness.awaiting('database')(null);
    expect(await parts()).toEqual(['redis']);
    readiness.add('redis', () => null);
    expect(await parts()).toEqual([]);
  });

  it('says what the start waits for, rather than what a check finds, and logs each change once', () => {
    const { readiness, lines } = setUp();
    readiness.set(true);
    readiness.add('database', () => 'does not answer');
    const database = readiness.awaiting('database');
    database(null);
    expect(lines).toEqual([]);
    for (let tries = 0; tries < 5; tries++) database('ECONNREFUSED');
    expect(readiness.problems()).toEqual({ database: 'waiting: ECONNREFUSED' });
    for (let tries = 0; tries < 5; tries++) database('it is starting');
    readiness.awaiting('kafka')('no broker');
    expect(readiness.problems()).toEqual({
      database: 'waiting: it is starting',
      kafka: 'waiting: no broker',
    });
    database(null);
    database(null);
    expect(readiness.problems()).toEqual({
      database: 'does not answer',
      kafka: 'waiting: no broker',
    });
    expect(lines).toEqual([
      'waiting for database: ECONNREFUSED',
      'waiting for database: it is starting',
      'waiting for kafka: no broker',
      'database is there',
    ]);
  });
});
