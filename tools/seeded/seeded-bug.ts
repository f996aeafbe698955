import { StackError } from '../stack/paths';

/** The test that must turn red. */
export interface Check {
  /** path of the spec */
  spec: string;
  /** title of its group; of a group inside another one `outer › inner` */
  group: string;
  /** its own title */
  test: string;
  /** Tests of its group that it needs before it. They stay green. */
  behind?: readonly string[];
  /** A part of its failure: it is red for this bug and for nothing else. */
  shows: RegExp;
}

/**
 * One promise, broken on purpose by a change of the source that exists in a test build alone: the
 * source itself knows nothing of it.
 */
export interface SeededBug {
  /** short, of words and dashes */
  name: string;
  /** what does not hold any more, as docs/RELIABILITY.md says it */
  promise: string;
  /** path of the source, which has `find` exactly once */
  file: string;
  find: string;
  replace: string;
  check: Check;
}

/** Between the titles of groups. */
export const INSIDE = ' › ';

/** Names of a check's tests, as jest puts them together: those it needs, then its own. */
export function testsOf({ group, test, behind = [] }: Check): string[] {
  return [...behind, test].map((title) => `${group.replaceAll(INSIDE, ' ')} ${title}`);
}

/** Where the compiled services of a test's stack are, when it is not `dist`: a build with a bug. */
export const TEST_DIST_VARIABLE = 'TIDINGS_TEST_DIST';

/** In every build with a bug, and in no other. */
export const SEEDED_MARK = 'tidings.seeded-bug';

/**
 * The source with its bug and the mark.
 * @throws StackError when the text is not there exactly once: then the code has changed, and the bug
 * has to be changed with it.
 */
export function seeded(bug: SeededBug, source: string): string {
  const parts = source.split(bug.find);
  if (parts.length !== 2) {
    throw new StackError(
      `The text that the seeded bug ${bug.name} replaces is ${parts.length - 1} times in ${bug.file}, not once.`,
    );
  }
  const mark = `(globalThis as Record<symbol, unknown>)[Symbol.for('${SEEDED_MARK}')] = '${bug.name}';`;
  return `${parts.join(bug.replace)}\n${mark}\n`;
}
