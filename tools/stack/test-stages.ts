/** One stage of `npm test`. */
export interface TestStage {
  name: string;
  title: string;
  /** programs of node_modules/.bin, run one after the other */
  commands: { program: string; args: string[] }[];
  /** a jest project whose own counts are summed; other stages count as one */
  jest: boolean;
  /** milliseconds until the stage is killed */
  timeoutMs: number;
  /** runs beside the other stages that have this: in its lane one after the other */
  lane?: 'checks' | 'unit';
  /** its tests start servers */
  servers?: boolean;
  /** keeps what becomes of each of its tests (tools/faults) */
  keepsRuns?: boolean;
  /** left out unless named on the command line */
  onlyWhenNamed?: boolean;
}

const MINUTE = 60_000;

function jest(project: string, timeoutMinutes: number, extra: string[] = []): TestStage {
  return {
    name: project,
    title: `jest ${project}`,
    jest: true,
    timeoutMs: timeoutMinutes * MINUTE,
    commands: [
      {
        program: 'jest',
        args: ['--selectProjects', project, ...extra],
      },
    ],
  };
}

const LONGEST_FIRST = '--testSequencer=<rootDir>/tools/stack/longest-first.cjs';

/** All stages in their order: what is quick and what breaks most come first. */
const STAGES: readonly TestStage[] = [
  {
    name: 'lint',
    title: 'lint',
    jest: false,
    lane: 'checks',
    timeoutMs: 20 * MINUTE,
    commands: [
      { program: 'eslint', args: ['.'] },
      { program: 'prettier', args: ['--check', '.'] },
      // exports, files and packages that nobody uses
      { program: 'knip', args: ['--no-progress'] },
    ],
  },
  {
    name: 'types',
    title: 'types',
    jest: false,
    lane: 'checks',
    timeoutMs: 15 * MINUTE,
    commands: [{ program: 'tsc', args: ['-p', 'tsconfig.json', '--noEmit'] }],
  },
  {
    name: 'imports',
    title: 'import rules',
    jest: false,
    lane: 'checks',
    timeoutMs: 15 * MINUTE,
    commands: [
      {
        program: 'depcruise',
        args: ['--config', '.dependency-cruiser.cjs', 'apps', 'libs', 'clients', 'tools', 'test'],
      },
    ],
  },
  // for two cores: one process takes twice as long
  { ...jest('unit', 30, ['--maxWorkers=2']), lane: 'unit' },
  { ...jest('integration', 30, ['--maxWorkers=2', LONGEST_FIRST]), servers: true },
  // As many as there are cores: each has a stack of ten processes.
  { ...jest('e2e', 60, ['--maxWorkers=2', LONGEST_FIRST]), servers: true },
  { ...jest('fault', 240, ['--runInBand']), servers: true, keepsRuns: true, onlyWhenNamed: true },
  // on Docker's engine, not on servers of its own
  { ...jest('compose', 60, ['--runInBand']), onlyWhenNamed: true },
];

/** Other names of stages on the command line. */
const ALIASES: Readonly<Record<string, string>> = { faults: 'fault' };

/** What the command line asks for. */
export interface TestSelection {
  stages: TestStage[];
  /** handed to jest: paths and options after the names of stages */
  jestArguments: string[];
}

/** Of the fault suite: those that were not green often enough on this code. */
export const LEFT = '--left';

/** Stages named by the leading arguments, all usual ones when none is named; the rest goes to jest. */
export function selectStages(args: readonly string[]): TestSelection {
  const named = new Set<string>();
  let index = 0;
  for (; index < args.length; index++) {
    const word = args[index] ?? '';
    const name = ALIASES[word] ?? word;
    if (!STAGES.some((stage) => stage.name === name)) break;
    named.add(name);
  }
  const stages = STAGES.filter((stage) =>
    named.size === 0 ? !stage.onlyWhenNamed : named.has(stage.name),
  );
  return { stages, jestArguments: args.slice(index) };
}

/** Tests that passed and failed. */
export interface Tally {
  passed: number;
  failed: number;
}

/**
 * Counts in jest's `--json` report. A file that could not run counts as one failure, and so does a test
 * that was skipped or is only announced, unless the command line asked for some tests by their names
 * (`named`): those beside them are skipped.
 * @throws when the text is no such report
 */
export function tallyOf(report: string, named = false): Tally {
  const read = JSON.parse(report) as Record<string, unknown>;
  const counts = COUNTS.map((count) => read[count]);
  if (!counts.every((count) => typeof count === 'number')) throw new Error('not a report of jest');
  const [passed = 0, failed = 0, broken = 0, skipped = 0, todo = 0] = counts as number[];
  return { passed, failed: failed + broken + (named ? 0 : skipped + todo) };
}

const COUNTS = [
  'numPassedTests',
  'numFailedTests',
  'numRuntimeErrorTestSuites',
  'numPendingTests',
  'numTodoTests',
];

/** Whether the arguments for jest choose tests by their names. */
export function choosesByName(jestArguments: readonly string[]): boolean {
  return jestArguments.some((word) => /^(?:-t|--testNamePattern)(?:$|=)/.test(word));
}

/** Stages that run side by side: lanes of stages that follow each other. */
export type Lanes = TestStage[][];

/** The stages in the order of their runs, those with lanes side by side. */
export function lanesOf(stages: readonly TestStage[]): Lanes[] {
  const lanes = new Map<string, TestStage[]>();
  const alone: Lanes[] = [];
  for (const stage of stages) {
    if (stage.lane === undefined) alone.push([[stage]]);
    else lanes.set(stage.lane, [...(lanes.get(stage.lane) ?? []), stage]);
  }
  return lanes.size === 0 ? alone : [[...lanes.values()], ...alone];
}
