import { type Check, testsOf } from './seeded-bug';

/** One test of a run. */
export interface TestOutcome {
  /** titles of its groups and its own */
  name: string;
  outcome: 'passed' | 'failed' | 'left out';
  /** why it failed; "" when it did not */
  failure: string;
}

interface JestReport {
  testResults: {
    name: string;
    message: string;
    status: string;
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[];
  }[];
}

/**
 * The tests in jest's `--json` report. A spec that could not run counts as a failed test of its name.
 * @throws when the text is no such report
 */
export function outcomesOf(report: string): TestOutcome[] {
  const { testResults } = JSON.parse(report) as JestReport;
  return testResults.flatMap(({ name, message, status, assertionResults }) => {
    const tests = assertionResults.map((one): TestOutcome => ({
      name: one.fullName,
      outcome: one.status === 'passed' ? 'passed' : one.status === 'failed' ? 'failed' : 'left out',
      failure: one.failureMessages.join('\n'),
    }));
    const broken = status === 'failed' && tests.every(({ outcome }) => outcome !== 'failed');
    return broken ? [...tests, { name, outcome: 'failed', failure: message }] : tests;
  });
}

/** What jest's `-t` needs to run these tests and no others. */
export function nameFilter(tests: readonly string[]): string {
  return `^(?:${tests.map((test) => test.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')})$`;
}

/** Why a check has not found its bug; null: it has. */
export function whyNotFound(check: Check, outcomes: readonly TestOutcome[]): string | null {
  const wanted = testsOf(check).at(-1)!;
  const ran = outcomes.filter(({ outcome }) => outcome !== 'left out');
  const own = ran.find(({ name }) => name === wanted);
  const others = ran.filter(({ name, outcome }) => outcome === 'failed' && name !== wanted);
  if (others.length > 0) {
    return `another test failed: ${others[0]!.name}: ${firstLines(others[0]!.failure)}`;
  }
  if (!own) return `the test was not run: ${wanted}`;
  if (own.outcome === 'passed') return `nothing turned red: ${wanted} passed`;
  if (!check.shows.test(own.failure)) {
    return `it is red for another reason than ${String(check.shows)}: ${firstLines(own.failure)}`;
  }
  return null;
}

/** Why the true build is not green on these checks; null: it is. */
export function whyNotGreen(check: Check, outcomes: readonly TestOutcome[]): string | null {
  for (const test of testsOf(check)) {
    const found = outcomes.find(({ name }) => name === test);
    if (found?.outcome === 'passed') continue;
    return found?.failure
      ? `${test}: ${firstLines(found.failure)}`
      : `the test was not run: ${test}`;
  }
  return null;
}

/** Of a failure that is shown. */
const LINES = 16;
const CHARACTERS = 300;

function firstLines(text: string): string {
  const lines = text.split('\n').slice(0, LINES);
  return lines.map((line) => line.slice(0, CHARACTERS)).join('\n');
}
