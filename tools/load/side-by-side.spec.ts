import { type SideRow, sideBySide, sideBySideText } from './side-by-side';
import { runReport } from './testing/run-report';

function valuesOf(rows: readonly SideRow[]): Record<string, (number | null)[]> {
  return Object.fromEntries(rows.map(({ title, values }) => [title, values]));
}

const one = runReport();
const two = runReport({
  cpuUsPerMessage: {
    'gateway-1': 60,
    'gateway-2': 55,
    'session-1': 40,
    redis: 9,
    'generator-1': 20,
    'generator-2': 22,
  },
  generators: [0, 1].map((i) => ({ ...one.generators[0]!, name: `generator-${i + 1}` })),
});

describe('sideBySide', () => {
  it('adds up the instances of a service, and leaves out what a side does not have', () => {
    const { cpu } = sideBySide([
      { label: '1', runs: [one] },
      { label: '2', runs: [two] },
    ]);
    expect(valuesOf(cpu)).toEqual({
      gateway: [100, 115],
      session: [50, 40],
      kafka: [70, null],
      redis: [null, 9],
      'all servers': [220, 164],
      generators: [60, 42],
    });
  });

  it('takes the middle of the runs, and the worst of the verdicts', () => {
    const runs = [100, 300, 200].map((deliveriesPerSecond) => runReport({ deliveriesPerSecond }));
    runs[1]!.verdict = { outcome: 'VOID', reasons: ['late'] };
    runs[2]!.verdict = { outcome: 'VOID', reasons: ['late'] };
    const all = sideBySide([{ label: 'x', runs }]);
    expect(valuesOf(all.throughput)).toMatchObject({
      'messages sent': [100],
      'deliveries to others': [200],
      'not delivered when the load ended': [3],
    });
    expect(all).toMatchObject({ outcomes: ['VOID'], reasons: [['late']] });
  });

  it('does not know what a process that ended has used', () => {
    const gone = runReport({ cpuUsPerMessage: { 'gateway-1': Number.NaN, kafka: 5 } });
    const { cpu } = sideBySide([{ label: 'x', runs: [gone] }]);
    expect(valuesOf(cpu)).toMatchObject({ gateway: [null], kafka: [5], 'all servers': [5] });
  });

  it('tells how the slowest of the generators kept up', () => {
    const [fast] = one.generators;
    const slow = { ...fast!, name: 'generator-2', loopLag: { p50: 1, p99: 30, max: 50 } };
    const { generators } = sideBySide([
      { label: 'x', runs: [runReport({ generators: [fast!, slow], generatorShare: 0.65 })] },
    ]);
    expect(valuesOf(generators)).toMatchObject({
      'generator processes': [2],
      'the busiest generator': [65],
      'event loop late, p99': [30],
    });
  });
});

it('sideBySideText is a table with a column for each side', () => {
  const text = sideBySideText(
    sideBySide([
      { label: '1 gateway', runs: [one] },
      { label: '2 gateways', runs: [two] },
    ]),
  );
  expect(text).toMatch(/^ +1 gateway +2 gateways$/m);
  expect(text).toMatch(/^ +verdict +PASSED +PASSED$/m);
  expect(text).toMatch(/^ +send → delivered p99, ms +9\.00 +9\.00$/m);
  expect(text).toMatch(/^ +kafka, µs per message +70\.0 +–$/m);
});
