import type { FigureFile, FigureRun } from './figure-file';
import { FIGURES } from './list';
import { changedSince, withFigures } from './page';

const HASHES = { 'apps/gateway': 'aa', 'libs/common': 'bb' };

function run(variant: string, p99: number, more: Partial<FigureRun> = {}): FigureRun {
  const latency = { count: 9, p50: p99 / 2, p90: p99, p99, p999: p99, max: p99 };
  return {
    variant,
    outcome: 'PASSED',
    reasons: [],
    latencyMs: { sent: latency, delivered: latency, stored: latency },
    counts: {},
    cpuUs: { kafka: 100, generator: 50 },
    memoryMiB: {},
    bytesPerConnection: {},
    stepsMs: {},
    ...more,
  };
}

function file(runs: FigureRun[], more: Partial<FigureFile> = {}): FigureFile {
  return {
    name: 'pairs-1000',
    hour: 'quick',
    command: 'npm run load -- --compare',
    date: '2026-11-23T12:34:56.789Z',
    commit: '0123456789',
    sources: HASHES,
    machine: { cpu: 'Some CPU', cores: 2, memoryGiB: 24, kernel: '6.1' },
    versions: { node: '24.1.0', kafka: '4.3.0', redis: '6.2', postgres: '18.4' },
    loadAverage: [0.25, 0.5, 0.75],
    runs,
    ...more,
  };
}

const EMPTY = FIGURES.map(({ name }) => `<!-- figure ${name} -->\n<!-- end of figure -->\n`).join(
  '\n',
);

function page(...files: FigureFile[]): string {
  return withFigures(EMPTY, files, HASHES);
}

function rowOf(text: string, title: string): string | undefined {
  return text.split('\n').find((line) => line.startsWith(`| ${title} `));
}

const THREE = [
  ...[12, 30, 20].map((p99) => run('baseline', p99)),
  ...[10, 15, 41].map((p99) => run('product', p99)),
];

describe('the table of a figure', () => {
  it('has the worst run first, bold where it misses its goal, and what that is beside the bare pipeline', () => {
    expect(rowOf(page(file(THREE)), 'send → delivered p99 ms')).toBe(
      '| send → delivered p99 ms | 30.0 – 20.0 – 12.0 | **41.0** – 15.0 – 10.0 | 1.37, 0.75 | 40.0 |',
    );
  });

  it('does not measure the bare pipeline by goals of the product', () => {
    const text = page(file([run('baseline', 90), run('product', 30)]));
    expect(rowOf(text, 'send → delivered p99 ms')).toMatch(
      /^\| send → delivered p99 ms \| 90\.0 \| 30\.0 \|/,
    );
  });

  it('shows a slow hour beside the quick one', () => {
    const slow = file([run('baseline', 80), run('product', 60)], { hour: 'slow' });
    const text = page(slow, file(THREE));
    expect(text).toContain(
      '| bare pipeline | product | bare pipeline, slow hour | product, slow hour |',
    );
    expect(rowOf(text, 'send → delivered p99 ms')).toContain('| 1.37, 0.75 / 0.75, 0.75 |');
  });

  it('says where it comes from', () => {
    expect(page(file(THREE))).toContain(
      '`npm run load -- --compare`; quick hour, 2026-11-23 12:34 UTC, commit 0123456789, 2 × Some CPU, 24 GiB, ' +
        'Node 24.1.0, Kafka 4.3.0, Redis 6.2, PostgreSQL 18.4, load average before 0.3, 0.5, 0.8.',
    );
  });

  it('tells of void runs, and why', () => {
    const late = run('product', 9, { outcome: 'VOID', reasons: ['the generator was late'] });
    expect(page(file([...THREE, late]))).toContain(
      'product: 1 of 4 runs void: the generator was late.',
    );
  });

  it('has how long each process took to start, and which step', () => {
    const steps = (ready: number) => ({
      session: { ready, program: 400, topics: 410, joined: 500 },
    });
    const starts = [900, 1500].map((ready) => run('first', 1, { stepsMs: steps(ready) }));
    const text = page(file(starts, { name: 'starts' }));
    expect(rowOf(text, 'session')).toBe('| session | 1 500 – 1 200 – 900 |');
    expect(text).toContain('\n- session: program 400, joined 90.0, ready 1 000\n');
  });

  it('says so when nothing was measured', () => {
    expect(page()).toContain('not measured yet (`npm run figures -- pairs-1000`)');
  });

  it('is written again as it is', () => {
    const once = page(file(THREE));
    expect(withFigures(once, [file(THREE)], HASHES)).toBe(once);
  });
});

describe('a figure that is older than the code', () => {
  const OLD = '**Older than the code:**';

  it('is marked, once and for all further changes alike', () => {
    const marked = (hash: string): string =>
      withFigures(EMPTY, [file(THREE)], { ...HASHES, 'libs/common': hash });
    expect(page(file(THREE))).not.toContain(OLD);
    expect(marked('cc')).toContain(OLD);
    expect(marked('dd')).toBe(marked('cc'));
  });

  it('is one of which a source has changed or is gone', () => {
    expect(changedSince(file(THREE), HASHES)).toEqual([]);
    expect(changedSince(file(THREE), { ...HASHES, 'libs/common': 'cc' })).toEqual(['libs/common']);
    expect(changedSince(file(THREE), {})).toEqual(['apps/gateway', 'libs/common']);
    expect(changedSince(file(THREE), { ...HASHES, 'apps/other': 'dd' })).toEqual([]);
  });
});

describe('the page', () => {
  it.each<[string, string]>([
    ['without a place for a figure', EMPTY.replace('<!-- figure idle -->', '')],
    ['with two places for a figure', `${EMPTY}<!-- figure idle -->`],
    ['with a place for a figure that nobody measures', `${EMPTY}<!-- figure other -->`],
  ])('is refused %s', (_, text) => {
    expect(() => withFigures(text, [], HASHES)).toThrow(/not just one place for: (idle|other)$/);
  });

  it('keeps what stands around the tables', () => {
    const around = EMPTY.replace('<!-- figure idle -->', 'Before.\n\n<!-- figure idle -->');
    expect(withFigures(`${around}\nAfter.\n`, [], HASHES)).toMatch(
      /Before\.\n\n<!-- figure idle -->[^]*\nAfter\.\n$/,
    );
  });
});
