import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StackError } from './paths';
import { runProgram } from './run-program';
import { clusterOf, removeSharedPlace } from './server-user';

/**
 * Data of servers that were started and stopped once. A stack of a test begins with a copy: making
 * it costs three of the fourteen CPU seconds of a start, and a test run starts dozens.
 */
export interface DataModel {
  /** Kafka's log directory */
  kafkaLog: string;
  /** PostgreSQL's cluster */
  cluster: string;
  /** of the cluster's role */
  password: string;
}

/** `bare`: formatted, an empty database; `prepared`: with tables, topics and the progress of an empty log. */
export type ModelName = 'bare' | 'prepared';

/** Where the models of this test run lie; inherited by everything that it runs. */
export const MODELS_VARIABLE = 'TIDINGS_TEST_MODELS';

/** A model of this test run; undefined: it has none. */
export function dataModel(
  name: ModelName,
  env: NodeJS.ProcessEnv = process.env,
): DataModel | undefined {
  const base = env[MODELS_VARIABLE];
  if (!base) return undefined;
  const dir = join(base, name);
  return existsSync(join(dir, READY)) ? modelIn(dir) : undefined;
}

/** Whether nothing was kept in a stack's directory yet. */
export function isFresh(dir: string): boolean {
  return ['kafka', PASSWORD, 'postgres'].every((name) => !existsSync(join(dir, name)));
}

/** Copies a folder with its owners and times; a half-made copy never has the target's name. */
export async function copyFolder(from: string, to: string, abort?: AbortSignal): Promise<void> {
  const copying = `${to}.copying`;
  rmSync(copying, { recursive: true, force: true });
  const copied = await runProgram('cp', ['-a', from, copying], { abort });
  if (copied.code !== 0) throw new StackError(`Data could not be copied: ${copied.output.trim()}`);
  renameSync(copying, to);
}

/** Makes a model's data in a directory: starts what is to be kept, and stops it. */
export type MakeData = (dir: string) => Promise<void>;

/** The models of one test run. */
export class DataModels {
  private readonly base = mkdtempSync(join(tmpdir(), 'tidings-models-'));

  constructor() {
    // PostgreSQL's user has to get through
    chmodSync(this.base, 0o711);
  }

  /** What the environment of the run has to contain. */
  get environment(): Record<string, string> {
    return { [MODELS_VARIABLE]: this.base };
  }

  /** Makes a model; when it fails, tests do without. */
  async make(name: ModelName, make: MakeData): Promise<void> {
    const dir = join(this.base, name);
    await make(dir);
    writeFileSync(join(dir, READY), '');
  }

  remove(): void {
    for (const name of ['bare', 'prepared']) removeSharedPlace(join(this.base, name));
    rmSync(this.base, { recursive: true, force: true });
  }
}

const READY = 'model-is-complete';
const PASSWORD = 'postgres-password';

function modelIn(dir: string): DataModel {
  return {
    kafkaLog: join(dir, 'kafka', 'log'),
    cluster: clusterOf(dir),
    password: readFileSync(join(dir, PASSWORD), 'utf8').trim(),
  };
}
