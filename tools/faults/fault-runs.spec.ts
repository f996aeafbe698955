import { type FaultRun, type FaultRuns, leftFilter, withFaultRuns, withRun } from './fault-runs';

const runOn = (code: string, more: Partial<FaultRun> = {}): FaultRun => ({
  at: '2026-11-24T11:00:00.000Z',
  commit: '2a6619a',
  code,
  node: '24.21.0',
  fsync: false,
  loadPerCore: 1.25,
  seconds: 95,
  ...more,
});

/** What is known behind these runs, `+` and `-`, each on a code of one letter: `+a -b`. */
function behind(name: string, runs: string, known: FaultRuns = {}): FaultRuns {
  return runs.split(' ').reduce((all, [sign, code]) => {
    const test = { name, spec: `test/fault/${name}.fault-spec.ts`, passed: sign === '+' };
    return withRun(all, test, runOn(code!));
  }, known);
}

describe('what is left of the fault suite', () => {
  it.each([
    ['+a', true],
    ['+a +a', false],
    ['+a +a +a', false],
    ['+a -a +a', true],
    ['+a +a -a', true],
    ['+b +a', true],
    ['+a +a +b', true],
    ['+b +a +a', false],
  ])('behind %s, on a: %s', (runs, left) => {
    const known = behind('kill (x)', runs, behind('other', '+a'));
    const filter = new RegExp(leftFilter(known, 'a'));
    expect(filter.test('kill (x)')).toBe(left);
    expect(filter.test('other')).toBe(true);
    // another one that begins alike, and one that never ran
    expect(filter.test('kill (x) too')).toBe(true);
    expect(filter.test('never')).toBe(true);
  });

  it('is all of it when nothing ran', () => {
    expect(new RegExp(leftFilter({}, 'a')).test('anything')).toBe(true);
  });
});

describe('the table of runs', () => {
  const page = 'Above.\n\n<!-- fault runs -->\nold\n<!-- end of fault runs -->\n\nBelow.\n';

  it('names spec, runs in a row, and when it was last green and red', () => {
    const known = behind('b', '+a +a', behind('a', '+a -a'));
    const text = withFaultRuns(page, known);
    expect(text).toMatch(/^Above\.\n\n<!-- fault runs -->\n\n\| Fault /);
    expect(text).toContain('| a | `a` | 0 | – | 2026-11-24, 2a6619a, 95 s, load 1.3 a core |');
    expect(text).toContain('| b | `b` | 2 | 2026-11-24, 2a6619a, 95 s, load 1.3 a core | – |');
    expect(text).not.toContain('old');
    expect(text).toMatch(/<!-- end of fault runs -->\n\nBelow\.\n$/);
    expect(withFaultRuns(text, known)).toBe(text);
  });

  it('tells of commits on the disk, and of no git', () => {
    const test = { name: 'c', spec: 'test/fault/c.fault-spec.ts', passed: true };
    const runs = withRun({}, test, runOn('a', { fsync: true, commit: '' }));
    expect(withFaultRuns(page, runs)).toContain(
      '| 2026-11-24, no git, 95 s, load 1.3 a core, `fsync` |',
    );
  });

  it.each(['', page + page, '<!-- fault runs -->'])('needs just one place: %j', (text) => {
    expect(() => withFaultRuns(text, {})).toThrow('not just one place');
  });
});
