import { lanesOf, selectStages, tallyOf } from './test-stages';

const names = (args: string[]): string[] => selectStages(args).stages.map((stage) => stage.name);

describe('stages of the test run', () => {
  it('are all but the long ones when none is named', () => {
    expect(names([])).toEqual(['lint', 'types', 'imports', 'unit', 'integration', 'e2e']);
  });

  it('are the named ones, in their own order', () => {
    expect(names(['unit', 'lint'])).toEqual(['lint', 'unit']);
    expect(names(['faults'])).toEqual(['fault']);
  });

  it('hand the rest of the arguments to jest', () => {
    const { stages, jestArguments } = selectStages(['unit', 'tools/stack', '-t', 'x']);
    expect(stages.map((stage) => stage.name)).toEqual(['unit']);
    expect(jestArguments).toEqual(['tools/stack', '-t', 'x']);
  });
});

describe('lanes', () => {
  const titles = (args: string[]): string[][][] =>
    lanesOf(selectStages(args).stages).map((lanes) => lanes.map((l) => l.map((s) => s.name)));

  it('run what needs no servers side by side, before the others', () => {
    expect(titles([])).toEqual([
      [['lint', 'types', 'imports'], ['unit']],
      [['integration']],
      [['e2e']],
    ]);
  });

  it('are one when only stages of one lane are named', () => {
    expect(titles(['types', 'imports'])).toEqual([[['types', 'imports']]]);
    expect(titles(['e2e'])).toEqual([[['e2e']]]);
  });
});

describe('counts of a jest report', () => {
  it('count a file that could not run as a failure', () => {
    const report = { numPassedTests: 5, numFailedTests: 2, numRuntimeErrorTestSuites: 1 };
    expect(tallyOf(JSON.stringify(report))).toEqual({ passed: 5, failed: 3 });
  });

  it.each(['', '{}', '{"numPassedTests":1}'])('are not read from %j', (text) => {
    expect(() => tallyOf(text)).toThrow();
  });
});
