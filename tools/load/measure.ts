import type { LoadOptions, Subject } from './args';
import { monotonicMs } from './clock';
import { GeneratorHandle } from './generator-handle';
import type { ConnectResult, GeneratorResult, Phase } from './generator/protocol';
import type { Pipeline } from './pipeline';
import { cpuTimes, machineCpuTime, memory } from './processes';
import { StoreWatch } from './store-watch';
import { type Verdict, judge } from './verdict';

/** Name of the generator in the accounts. */
export const GENERATOR = 'generator';

/** Everything known about one run. */
export interface RunReport {
  subject: Subject;
  seed: number;
  /** messages that reached a device of another member, per second of the run phase */
  deliveriesPerSecond: number;
  verdict: Verdict;
  connect: ConnectResult;
  result: GeneratorResult;
  /** CPU µs per message sent in the run phase, by process; NaN (null in JSON): it ended meanwhile */
  cpuUsPerMessage: Record<string, number>;
  /** share of one core that the generator used in the run phase */
  generatorShare: number;
  /** cores that programs which have nothing to do with the run used meanwhile: above some tenths the figures are not worth much */
  foreignCores: number;
  /** bytes at the end of the run phase, by process */
  memoryBytes: Record<string, number>;
  /** records that the store had not applied at the end of the load, and ms until it had */
  unstoredAtEnd: number;
  storedAfterMs: number | null;
}

/** Counters of processes at one moment. */
export interface Usage {
  atMs: number;
  cpuUs: Record<string, number>;
  machineUs: number;
  memoryBytes: Record<string, number>;
}

const CONNECT_CONCURRENCY = 32;

/** Connects, sends, drains and judges once; a generator process of its own for each run. */
export async function measure(
  pipeline: Pipeline,
  options: LoadOptions,
  run: { seed: number; readWithinMs: number | null; abort: AbortSignal },
): Promise<RunReport> {
  run.abort.throwIfAborted();
  const readings: Partial<Record<Phase, Usage>> = {};
  const generator = new GeneratorHandle((phase) => {
    readings[phase] = readUsage([...pipeline.processes, { name: GENERATOR, pid: generator.pid }]);
  }, options.pin);
  const onAbort = (): void => void generator.stop();
  run.abort.addEventListener('abort', onAbort);
  const watch = await StoreWatch.start(pipeline.store).catch(async (error: unknown) => {
    await generator.stop();
    throw error;
  });
  try {
    const { entrance, devices, conversations } = pipeline;
    const connect = await generator.call('connect', {
      entrance,
      devices,
      concurrency: CONNECT_CONCURRENCY,
    });
    watch.reset();
    const drained = await generator.call('run', {
      seed: run.seed,
      ratePerSecond: options.rate,
      warmupMs: options.warmupSeconds * 1000,
      runMs: options.seconds * 1000,
      drainMs: options.drainSeconds * 1000,
      textBytes: options.textBytes,
      conversations,
      readWithinMs: run.readWithinMs,
      partitions: watch.partitions,
      historyUrls: pipeline.historyUrls,
    });
    const { highest, endMs } = drained;
    const storedAfterMs = await watch.caughtUp(highest, endMs, options.drainSeconds * 1000);
    const result = await generator.call('finish', {
      databaseUrl: pipeline.store.databaseUrl,
      messagesSql: pipeline.store.messagesSql,
      samples: watch.seen(),
    });
    const { run: before, end: after } = readings;
    if (!before || !after) throw new Error('the generator told no phases');
    const used = usage(before, after, result.runSent);
    return {
      subject: pipeline.subject,
      seed: run.seed,
      deliveriesPerSecond: result.latency.delivered.count / options.seconds,
      verdict: judge(result, used.generatorShare),
      connect,
      result,
      ...used,
      memoryBytes: after.memoryBytes,
      unstoredAtEnd: watch.behind(highest, endMs),
      storedAfterMs,
    };
  } finally {
    run.abort.removeEventListener('abort', onAbort);
    await watch.stop();
    await generator.stop();
  }
}

/** Reads the counters of processes, now. */
export function readUsage(processes: readonly { name: string; pid: number }[]): Usage {
  return {
    atMs: monotonicMs(),
    cpuUs: cpuTimes(processes),
    machineUs: machineCpuTime(),
    memoryBytes: memory(processes),
  };
}

/** What was used between two readings, per message (or whatever was counted). */
export function usage(
  before: Usage,
  after: Usage,
  messages: number,
): Pick<RunReport, 'cpuUsPerMessage' | 'generatorShare' | 'foreignCores'> {
  const cpuUsPerMessage: Record<string, number> = {};
  const wallUs = (after.atMs - before.atMs) * 1000;
  let foreignUs = after.machineUs - before.machineUs;
  for (const [name, cpuUs] of Object.entries(after.cpuUs)) {
    const usedUs = cpuUs - (before.cpuUs[name] ?? 0);
    foreignUs -= Math.max(0, usedUs);
    // a process that ended took its account with it
    cpuUsPerMessage[name] = usedUs < 0 ? Number.NaN : usedUs / Math.max(1, messages);
  }
  const generatorUs = (after.cpuUs[GENERATOR] ?? 0) - (before.cpuUs[GENERATOR] ?? 0);
  return {
    cpuUsPerMessage,
    generatorShare: generatorUs / wallUs,
    foreignCores: Math.max(0, foreignUs) / wallUs,
  };
}
