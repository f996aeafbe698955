import { parseArgs } from 'node:util';
import { releaseLock, takeLock } from './lock';
import { StackError, dataDir } from './paths';
import { DEFAULT_COUNTS, SERVICES, type ServiceCounts, type ServiceName } from './service-plan';
import { type Stack, startStack } from './stack';
import { removeStackFile, writeStackFile } from './stack-file';
import { welcomeText } from './start-text';
import { checkDataVersion, pomVersions } from './versions';

/** `npm start`: the whole stack in the foreground until Ctrl-C. */

/** `--sessions 2`, for example: how many instances of a service. */
const optionOf = (service: ServiceName): string => `${service}s`;

const USAGE = `npm start -- ${SERVICES.map((service) => `[--${optionOf(service)} ${DEFAULT_COUNTS[service]}]`).join(' ')}`;

/**
 * Numbers of instances from the command line.
 * @throws StackError
 */
export function countsFrom(args: string[]): Partial<ServiceCounts> {
  const counts: Partial<ServiceCounts> = {};
  try {
    const { values } = parseArgs({
      args,
      options: Object.fromEntries(
        SERVICES.map((service) => [optionOf(service), { type: 'string' as const }]),
      ),
    });
    for (const service of SERVICES) {
      const option = optionOf(service);
      const value = values[option];
      if (value === undefined) continue;
      const count = Number(value);
      if (!Number.isInteger(count) || count < 1 || count > 9)
        throw new Error(`--${option} takes 1 to 9`);
      counts[service] = count;
    }
  } catch (error) {
    throw new StackError(`${error instanceof Error ? error.message : error}. Usage: ${USAGE}`);
  }
  return counts;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Resolves at the first signal that asks for the end, or when the launcher above is gone. */
function askedToStop(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => resolve(signal));
    process.on('disconnect', () => resolve('the launcher ended'));
  });
}

async function run(dir: string, services: Partial<ServiceCounts>): Promise<void> {
  const began = Date.now();
  const startedAt = new Date().toISOString();
  const abort = new AbortController();
  const asked = askedToStop().then((reason) => {
    say(`\nStopping (${reason}) …`);
    abort.abort();
  });
  let stack: Stack | undefined;
  const refresh = (): void => {
    if (stack && !abort.signal.aborted) writeStackFile(stack, startedAt);
  };
  try {
    stack = await startStack({
      dir,
      services,
      ports: 'default',
      useEnvironment: true,
      restart: true,
      onRestarted: refresh,
      log: (line) => say(`  ${line}`),
      abort: abort.signal,
    });
    refresh();
    say(welcomeText(stack, pomVersions().servers, (Date.now() - began) / 1000));
    await asked;
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  } finally {
    await stack?.stop();
    removeStackFile(dir);
  }
  say('Stopped.');
}

async function main(): Promise<void> {
  const services = countsFrom(process.argv.slice(2));
  const dir = dataDir();
  const holder = takeLock(dir);
  if (holder) {
    throw new StackError(
      `A stack of this checkout runs already (process ${holder.pid}): use that one, or stop it first.`,
    );
  }
  try {
    checkDataVersion(dir, pomVersions().servers);
    say('Starting Tidings …');
    await run(dir, services);
  } finally {
    releaseLock(dir);
  }
}

function report(error: unknown): void {
  const text =
    error instanceof StackError ? error.message : error instanceof Error ? error.stack : error;
  process.stderr.write(`${text}\n`);
}

if (require.main === module) {
  main().then(
    () => process.exit(0),
    (error: unknown) => {
      report(error);
      process.exit(1);
    },
  );
}
