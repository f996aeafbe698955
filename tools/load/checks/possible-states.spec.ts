import { PossibleStates, type Setting } from './possible-states';

const set = (
  inv: number,
  ret: number,
  target: string,
  outcome: Setting<string>['outcome'] = 'ok',
) => ({ inv, ret, target, outcome }) satisfies Setting<string>;

const during = (settings: Setting<string>[], from: number, to = from): string[] =>
  [...new PossibleStates('start', settings).during(from, to)].sort();

describe('PossibleStates', () => {
  it('is the first value until something begins', () => {
    expect(during([set(10, 20, 'a')], 0, 9)).toEqual(['start']);
    expect(during([], -Infinity, Infinity)).toEqual(['start']);
  });

  it('may be old or new between begin and answer, and is new afterwards', () => {
    expect(during([set(10, 20, 'a')], 15)).toEqual(['a', 'start']);
    expect(during([set(10, 20, 'a')], 20, 99)).toEqual(['a']);
    expect(during([set(10, 20, 'a')], 5, 99)).toEqual(['a', 'start']);
  });

  it('is open for as long as an operation has no answer', () => {
    const unknown = set(10, Infinity, 'a', 'info');
    expect(during([unknown], 1e9)).toEqual(['a', 'start']);
    // also after something else was answered: it may be carried out yet
    expect(during([unknown, set(20, 30, 'b')], 40)).toEqual(['a', 'b']);
  });

  it('is open after two that went on at once, until a third', () => {
    const both = [set(10, 30, 'a'), set(20, 40, 'b')];
    expect(during(both, 50)).toEqual(['a', 'b']);
    expect(during([...both, set(60, 70, 'c')], 80)).toEqual(['c']);
  });

  it('is not changed by what was refused', () => {
    expect(during([set(10, 20, 'a', 'fail')], 15, 99)).toEqual(['start']);
  });

  it('is certain where only one value is possible all the time', () => {
    const states = new PossibleStates('start', [set(10, 20, 'a')]);
    expect(states.certainly('start', 0, 9)).toBe(true);
    expect(states.certainly('start', 0, 10)).toBe(false);
    expect(states.certainly('a', 20, Infinity)).toBe(true);
    expect(states.certainly('a', 19, 30)).toBe(false);
  });
});
