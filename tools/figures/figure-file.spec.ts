import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FigureFile, readFigures, writeFigure } from './figure-file';

const figure: FigureFile = {
  name: 'idle',
  hour: 'slow',
  command: 'npm run load',
  date: '2026-11-23T12:34:56.789Z',
  commit: null,
  sources: { 'apps/gateway': 'aa' },
  machine: { cpu: 'Some CPU', cores: 2, memoryGiB: 24, kernel: '6.1' },
  versions: { node: '24.1.0', kafka: '4.3.0', redis: '6.2', postgres: '18.4' },
  loadAverage: [0.123456, 1, 2],
  runs: [
    {
      variant: 'product',
      outcome: 'PASSED',
      reasons: [],
      latencyMs: {},
      counts: { sockets: 12_345_678 },
      cpuUs: {},
      memoryMiB: {},
      bytesPerConnection: {},
      stepsMs: {},
    },
  ],
};

describe('a figure in a file', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'tidings-figures-'))));
  afterEach(() => rmSync(dir, { recursive: true }));

  it('is read as it was written, but for digits that tell nothing', () => {
    expect(writeFigure(dir, figure)).toBe(join(dir, 'idle.slow.json'));
    expect(readFigures(dir)).toEqual([{ ...figure, loadAverage: [0.1235, 1, 2] }]);
  });

  it('has a line for each group, and no group without a number', () => {
    const text = readFileSync(writeFigure(dir, figure), 'utf8');
    expect(text).toContain('\n      "counts": {"sockets":12345678}\n');
    expect(text).not.toContain('memoryMiB');
  });

  it.each<[string, object]>([
    ['of which nobody knows what it is', { ...figure, host: 'somewhere' }],
    ['of a run that failed', { ...figure, runs: [{ ...figure.runs[0], outcome: 'FAILED' }] }],
    ['with the name of another one', { ...figure, hour: 'quick' }],
  ])('is refused with something in it %s', (_, content) => {
    writeFileSync(join(dir, 'idle.slow.json'), JSON.stringify(content));
    expect(() => readFigures(dir)).toThrow();
  });
});
