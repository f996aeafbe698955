import type { Check } from './seeded-bug';
import { nameFilter, outcomesOf, type TestOutcome, whyNotFound, whyNotGreen } from './verdict';

const check: Check = {
  spec: 'a.e2e-spec.ts',
  group: 'a group',
  test: 'shows 1 + 1',
  behind: ['begins'],
  shows: /expected 2, was 3/,
};
const test = (name: string, outcome: TestOutcome['outcome'], failure = ''): TestOutcome => ({
  name,
  outcome,
  failure,
});
const BEGINS = test('a group begins', 'passed');
const OWN = 'a group shows 1 + 1';
const RED = test(OWN, 'failed', 'Error: expected 2, was 3\n at a.ts');

describe('a bug', () => {
  it('is found when its check alone is red, and for the right reason', () => {
    expect(whyNotFound(check, [BEGINS, RED, test('other', 'left out')])).toBeNull();
  });

  it.each<[string, TestOutcome[], RegExp]>([
    ['its check is green', [BEGINS, test(OWN, 'passed')], /^nothing turned red: /],
    ['another reason', [BEGINS, test(OWN, 'failed', 'no stack')], /another reason .* no stack/],
    [
      'another test',
      [test('a group begins', 'failed', 'no stack'), RED],
      /^another test failed: a group/,
    ],
    ['its check is not run', [BEGINS, test(OWN, 'left out')], /^the test was not run: /],
    ['no tests at all', [], /^the test was not run: /],
  ])('is not found: %s', (_what, outcomes, why) => {
    expect(whyNotFound(check, outcomes)).toMatch(why);
  });
});

describe("the product's build", () => {
  it('is green when all of a check passed', () => {
    expect(whyNotGreen(check, [BEGINS, test(OWN, 'passed')])).toBeNull();
  });

  it.each<[string, TestOutcome[], RegExp]>([
    ['the check is red', [BEGINS, RED], /^a group shows 1 \+ 1: Error: expected 2/],
    ['what it needs is red', [test('a group begins', 'failed', 'no'), RED], /^a group begins: no/],
    ['it was not run', [BEGINS], /^the test was not run: /],
  ])('is not: %s', (_what, outcomes, why) => {
    expect(whyNotGreen(check, outcomes)).toMatch(why);
  });
});

describe('a report of jest', () => {
  const one = (fullName: string, status: string, ...failureMessages: string[]) => ({
    fullName,
    status,
    failureMessages,
  });
  const report = (...testResults: object[]): string => JSON.stringify({ testResults });

  it('tells of each test', () => {
    const assertionResults = [one('a', 'passed'), one('b', 'failed', 'why'), one('c', 'pending')];
    const file = { name: 'a.ts', status: 'failed', message: '', assertionResults };
    expect(outcomesOf(report(file))).toEqual([
      test('a', 'passed'),
      test('b', 'failed', 'why'),
      test('c', 'left out'),
    ]);
  });

  it('tells of a spec that could not run', () => {
    const file = { name: 'a.ts', status: 'failed', message: 'syntax', assertionResults: [] };
    expect(outcomesOf(report(file))).toEqual([test('a.ts', 'failed', 'syntax')]);
  });
});

it('names are taken as they are', () => {
  const filter = new RegExp(nameFilter(['a (b)', 'c?']));
  expect(['a (b)', 'c?', 'a b', 'c', 'a (b) d'].map((name) => filter.test(name))).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});
