import { choosesByName, lanesOf, selectStages, tallyOf } from './test-stages';

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

describe('every stage of jest', () => {
  it('fails when it finds no test', () => {
    const words = selectStages(['unit', 'integration', 'e2e', 'fault']).stages.flatMap((stage) =>
      stage.commands.flatMap((command) => command.args),
    );
    expect(words).toContain('--selectProjects');
    expect(words).not.toContain('--passWithNoTests');
  });
});

describe('counts of a jest report', () => {
  const report = (more: object = {}): string =>
    JSON.stringify({
      numPassedTests: 5,
      numFailedTests: 2,
      numRuntimeErrorTestSuites: 1,
      numPendingTests: 0,
      numTodoTests: 0,
      ...more,
    });

  it('count a file that could not run as a failure', () => {
    expect(tallyOf(report())).toEqual({ passed: 5, failed: 3 });
  });

  it('count what was skipped as failures, but not beside tests that were asked for', () => {
    const skipped = report({ numPendingTests: 4, numTodoTests: 1 });
    expect(tallyOf(skipped)).toEqual({ passed: 5, failed: 8 });
    expect(tallyOf(skipped, true)).toEqual({ passed: 5, failed: 3 });
  });

  it.each([
    [['-t', 'x'], true],
    [['test/e2e', '--testNamePattern=x'], true],
    [['test/e2e/-t', '--testTimeout=5'], false],
  ])('%j: tests are asked for by name: %j', (args, expected) => {
    expect(choosesByName(args)).toBe(expected);
  });

  it.each(['', '{}', '{"numPassedTests":1}'])('are not read from %j', (text) => {
    expect(() => tallyOf(text)).toThrow();
  });
});
