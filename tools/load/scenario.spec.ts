import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StackError } from '../stack/paths';
import { parseLoadArgs } from './args';
import {
  ScenarioError,
  type ScenarioErrorKind,
  loadScenario,
  parseScenario,
  scenarioNames,
  under,
} from './scenario';

/** What was thrown. */
function errorOf(work: () => unknown): ScenarioError {
  try {
    work();
  } catch (error) {
    if (error instanceof ScenarioError) return error;
  }
  throw new Error('no ScenarioError was thrown');
}

describe('the scenarios that come with the tool', () => {
  it('are these', () => {
    expect(scenarioNames()).toEqual([
      'churn',
      'connects',
      'groups',
      'idle',
      'pairs',
      'soak',
      'storm',
    ]);
  });

  it.each(scenarioNames())('%s can be run as it is', (name) => {
    const options = parseLoadArgs(['--scenario', name], () => 1);
    expect(options!.label).toMatch(new RegExp(`^${name}: .*\\.$`));
  });

  it('say what the command line does not', () => {
    const options = parseLoadArgs(
      ['--scenario', 'groups', '--users', '40', '--label', 'mine'],
      () => 1,
    );
    const workload = { name: 'groups', groupSize: 10 };
    expect(options).toMatchObject({ users: 40, rate: 300, seconds: 30, label: 'mine', workload });
    expect(parseLoadArgs(['--scenario', 'idle'], () => 1)!.idle).toEqual([2000, 12_000]);
  });

  it('are judged with what the command line says', () => {
    const wrong = (): unknown =>
      parseLoadArgs(['--scenario', 'pairs', '--group-size', '5'], () => 1);
    expect(wrong).toThrow(StackError);
    expect(wrong).toThrow(/--group-size goes with/);
  });
});

describe('parseScenario', () => {
  it('gives options as they would stand on the command line', () => {
    const text = '{"about":"x","workload":"groups","group-size":4,"scale":[1,2],"idle":[5,9]}';
    const options = { workload: 'groups', 'group-size': '4', scale: '1,2', idle: '5,9' };
    expect(parseScenario('s', text)).toEqual({ name: 's', about: 'x', options });
  });

  it.each<[string, string, ScenarioErrorKind, RegExp]>([
    ['no JSON', '{"about":', 'not_json', /^scenario s: .*JSON/],
    ['a list', '[]', 'invalid', /^scenario s: .*object/],
    ['no sentence', '{"rate":5}', 'invalid', /about: /],
    ['an unknown option', '{"about":"x","rates":5}', 'invalid', /"rates"/],
    ['an option of the machine', '{"about":"x","json":"/etc/passwd"}', 'invalid', /"json"/],
    ['an unknown workload', '{"about":"x","workload":"storm"}', 'invalid', /workload: .*"pairs"/],
    ['a text for a number', '{"about":"x","rate":"5"}', 'invalid', /rate: .*number/],
    ['half a message', '{"about":"x","rate":0.5}', 'invalid', /rate: /],
    ['less than nothing', '{"about":"x","users":-2}', 'invalid', /users: /],
    ['one number for two', '{"about":"x","idle":[5]}', 'invalid', /idle/],
    ['two mistakes', '{"about":"","rate":"5"}', 'invalid', /about: .*; rate: /],
  ])('refuses %s', (_, text, kind, message) => {
    const error = errorOf(() => parseScenario('s', text));
    expect(error.kind).toBe(kind);
    expect(error.message).toMatch(message);
  });
});

describe('loadScenario', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'tidings-scenario-'))));
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('reads a file by its path', () => {
    const file = join(dir, 'mine.json');
    writeFileSync(file, '{"about":"mine","rate":7}');
    expect(loadScenario(file)).toEqual({ name: 'mine', about: 'mine', options: { rate: '7' } });
  });

  it.each<[string, ScenarioErrorKind, RegExp]>([
    ['nothing', 'unknown', /a file or one of churn, connects/],
    ['__proto__', 'unknown', /a file or one of/],
    ['./not-there.json', 'unreadable', /not-there\.json/],
  ])('refuses %s', (name, kind, message) => {
    const error = errorOf(() => loadScenario(name));
    expect(error.kind).toBe(kind);
    expect(error.message).toMatch(message);
  });

  it('refuses a folder, and a file that is no page of text', () => {
    expect(errorOf(() => loadScenario(`${dir}/`)).kind).toBe('unreadable');
    const file = join(dir, 'large.json');
    writeFileSync(file, ' '.repeat(70_000));
    expect(errorOf(() => loadScenario(file)).kind).toBe('too_large');
  });
});

describe('under', () => {
  const scenario = { name: 's', about: 'x', options: { deliveries: '900', users: '10' } };

  it('lets the command line say rate where the scenario says deliveries', () => {
    expect(under(scenario, { rate: '5' })).toEqual({ rate: '5', users: '10' });
    expect(under(scenario, { users: '4' })).toEqual({ deliveries: '900', users: '4' });
  });
});
