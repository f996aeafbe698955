import { readFileSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { StackError, projectRoot } from '../stack/paths';
import { WORKLOADS } from './workload';

/** A scenario is a page of text at most. */
const MAX_BYTES = 64 * 1024;
const EXTENSION = '.json';

const count = z.int().min(0);

/** A file of options: those of the command line that say what is measured, by the same names. */
const scenario = z.strictObject({
  /** what it is for, in a sentence; the report begins with it */
  about: z.string().min(1).max(300),
  workload: z.enum(WORKLOADS).optional(),
  rate: count.optional(),
  deliveries: count.optional(),
  seconds: count.optional(),
  warmup: count.optional(),
  users: count.optional(),
  runs: count.optional(),
  text: count.optional(),
  drain: count.optional(),
  samples: count.optional(),
  generators: count.optional(),
  seed: count.optional(),
  idle: z.tuple([count, count]).optional(),
  scale: z.array(count).min(1).optional(),
  'group-size': count.optional(),
  online: count.optional(),
  conversations: count.optional(),
  history: count.optional(),
  watched: count.optional(),
  changes: count.optional(),
  reconnects: count.optional(),
});

/** What a scenario says, as it would stand on the command line. */
export interface Scenario {
  name: string;
  about: string;
  options: Record<string, string>;
}

/** Options of which only one can be given. */
const ALTERNATIVES = ['rate', 'deliveries'];

/** Why a scenario cannot be used. */
export type ScenarioErrorKind = 'unknown' | 'unreadable' | 'too_large' | 'not_json' | 'invalid';

/** A scenario that cannot be used; the message names the file and what is wrong in it. */
export class ScenarioError extends StackError {
  constructor(
    readonly kind: ScenarioErrorKind,
    message: string,
  ) {
    super(message);
  }
}

/** Where the scenarios are that have a name. */
function scenariosDir(): string {
  return join(projectRoot(), 'tools', 'load', 'scenarios');
}

/** Names of the scenarios that come with the tool. */
export function scenarioNames(dir = scenariosDir()): string[] {
  return readdirSync(dir)
    .filter((file) => file.endsWith(EXTENSION))
    .map((file) => basename(file, EXTENSION))
    .sort();
}

/**
 * Reads a scenario by its name, or a file: whatever has a `/` in it or ends in `.json`.
 * @throws ScenarioError
 */
export function loadScenario(nameOrFile: string, dir = scenariosDir()): Scenario {
  const isFile = nameOrFile.includes('/') || nameOrFile.endsWith(EXTENSION);
  if (!isFile && !scenarioNames(dir).includes(nameOrFile)) {
    const names = scenarioNames(dir).join(', ');
    throw new ScenarioError('unknown', `--scenario: a file or one of ${names} is expected`);
  }
  const file = isFile ? nameOrFile : join(dir, nameOrFile + EXTENSION);
  return parseScenario(basename(nameOrFile, EXTENSION), textOf(file));
}

/**
 * Reads the text of a scenario.
 * @throws ScenarioError naming each thing that is wrong
 */
export function parseScenario(name: string, text: string): Scenario {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ScenarioError('not_json', `scenario ${name}: ${reasonOf(error)}`);
  }
  const result = scenario.safeParse(json);
  if (!result.success) {
    const issues = result.error.issues.map(({ path, message }) => {
      return path.length === 0 ? message : `${path.join('.')}: ${message}`;
    });
    throw new ScenarioError('invalid', `scenario ${name}: ${issues.join('; ')}`);
  }
  const { about, ...options } = result.data;
  const texts = Object.entries(options).map(([option, value]) => [option, String(value)] as const);
  return { name, about, options: Object.fromEntries(texts) };
}

/** The scenario's options under those of the command line. */
export function under<V extends Record<string, unknown>>({ options }: Scenario, values: V): V {
  const given = new Set(Object.keys(values));
  const replaced = ALTERNATIVES.some((option) => given.has(option)) ? ALTERNATIVES : [];
  const kept = Object.entries(options).filter(([option]) => !replaced.includes(option));
  return { ...Object.fromEntries(kept), ...values };
}

function textOf(file: string): string {
  try {
    if (statSync(file).size > MAX_BYTES) {
      throw new ScenarioError('too_large', `${file} has more than ${MAX_BYTES} bytes`);
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof ScenarioError) throw error;
    throw new ScenarioError('unreadable', `the scenario cannot be read: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
