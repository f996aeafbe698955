import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './paths';
import { selectNodes, summaryLine, tallyOfRun, testedMajors } from './test-nodes';

const TESTED = [20, 22, 24, 26];

describe('the versions of Node that are tested', () => {
  it('are those that engines names', () => {
    const text = readFileSync(join(projectRoot(), 'package.json'), 'utf8');
    const { engines } = JSON.parse(text) as { engines: { node: string } };
    expect(testedMajors(engines.node)).toEqual(TESTED);
    expect(() => testedMajors('>=20')).toThrow('>=20');
  });

  it('are all of them, with both stages that start servers, when nothing is named', () => {
    expect(selectNodes([], TESTED)).toEqual({
      majors: TESTED,
      testArguments: ['integration', 'e2e'],
    });
  });

  it('are the named ones; the rest goes to the test run', () => {
    expect(selectNodes(['24', '26', 'e2e', 'accounts', '-t', '3'], TESTED)).toEqual({
      majors: [24, 26],
      testArguments: ['e2e', 'accounts', '-t', '3'],
    });
    expect(selectNodes(['22', 'test/e2e/slow-calls'], TESTED)).toEqual({
      majors: [22],
      testArguments: ['integration', 'e2e', 'test/e2e/slow-calls'],
    });
    expect(() => selectNodes(['25'], TESTED)).toThrow('Node 25');
  });
});

describe('the counts of one version', () => {
  it('are those of the last line', () => {
    const output =
      '-- jest e2e: 5 passed, 0 failed (3 s)\n1 passed, 0 failed\n\n7 passed, 2 failed\n';
    expect(tallyOfRun(output, false)).toEqual({ passed: 7, failed: 2 });
    expect(summaryLine('24.1.0', { passed: 7, failed: 2 }, 60.4)).toBe(
      'Node 24.1.0: 7 passed, 2 failed (60 s)',
    );
  });

  it('are a failure when the run failed without saying so', () => {
    expect(tallyOfRun('', false)).toEqual({ passed: 0, failed: 1 });
    expect(tallyOfRun('3 passed, 0 failed\n', false)).toEqual({ passed: 3, failed: 1 });
    expect(tallyOfRun('3 passed, 0 failed\n', true)).toEqual({ passed: 3, failed: 0 });
  });
});
