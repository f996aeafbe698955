import type { LoadOptions, Subject } from './args';
import { type Footprint, type Footprints, type StoreCosts, storeCosts } from './footprint';
import { Generators, type GeneratorLoad } from './generators';
import type { ConnectResult, GeneratorResult, Phase } from './generator/protocol';
import type { Pipeline } from './pipeline';
import { type ChurnCost, churnCost } from './churn-cost';
import { Sampler } from './soak/sampler';
import { type Soak, judgeSoak, soakOf } from './soak/soak';
import { StoreWatch } from './store-watch';
import { type Costs, type Reading, type Usage, generatorShares, readUsage, usage } from './usage';
import { type Verdict, judge } from './verdict';

/** Everything known about one run. */
export interface RunReport extends Costs {
  subject: Subject;
  seed: number;
  /** length of the run phase */
  seconds: number;
  /** messages that reached a device of another member, per second of the run phase */
  deliveriesPerSecond: number;
  verdict: Verdict;
  connect: ConnectResult;
  result: GeneratorResult;
  /** each generator, with its share of one core */
  generators: (GeneratorLoad & { share: number })[];
  /** bytes at the end of the run phase, by process */
  memoryBytes: Record<string, number>;
  /** records that the store had not applied at the end of the load, and ms until it had; null: nobody could look */
  unstoredAtEnd: number | null;
  storedAfterMs: number | null;
  /** null: nobody watched */
  churn: ChurnCost | null;
  /** what the stores hold, and what a connection and a message have added; null: nobody looked */
  stores: (StoreCosts & Footprints) | null;
  /** null: nothing was sampled */
  soak: Soak | null;
}

const CONNECT_CONCURRENCY = 32;

/** Connects, sends, drains and judges once; generator processes of their own for each run. */
export async function measure(
  pipeline: Pipeline,
  options: LoadOptions,
  run: { seed: number; readWithinMs: number | null; abort: AbortSignal },
): Promise<RunReport> {
  run.abort.throwIfAborted();
  const readings: Reading[] = [];
  const { entrance, devices, conversations } = pipeline;
  const processes = { count: options.generators, pin: options.pin };
  const sampler = samplerFor(pipeline, options);
  const generators = new Generators(processes, conversations, (phase) => {
    if (phase === 'run') sampler?.start();
    const usage = readUsage([...pipeline.processes, ...generators.processes]);
    readings.push({ phase, usage });
  });
  const onAbort = (): void => void generators.stop();
  run.abort.addEventListener('abort', onAbort);
  const watch = await watchOf(pipeline).catch(async (error: unknown) => {
    await generators.stop();
    throw error;
  });
  // what cannot be looked at loses no run
  const look = async (): Promise<Footprint | null> => {
    return pipeline.footprint?.().catch(() => null) ?? null;
  };
  try {
    const before = await look();
    const concurrency = CONNECT_CONCURRENCY;
    const connect = await generators.connect({ entrance, devices, concurrency });
    const connected = await look();
    watch?.reset();
    const drained = await generators.run({
      seed: run.seed,
      ratePerSecond: options.rate,
      warmupMs: options.warmupSeconds * 1000,
      runMs: options.seconds * 1000,
      drainMs: options.drainSeconds * 1000,
      textBytes: options.textBytes,
      readWithinMs: run.readWithinMs,
      churn: options.workload.churn,
      sliceMs: options.sampleSeconds === null ? null : options.sampleSeconds * 1000,
      partitions: watch?.partitions ?? 1,
      historyUrls: pipeline.historyUrls,
    });
    const { highest, endMs } = drained;
    const samples = await sampler?.finished();
    const drainMs = options.drainSeconds * 1000;
    const storedAfterMs = (await watch?.caughtUp(highest, endMs, drainMs)) ?? null;
    const { result, generators: loads } = await generators.finish({
      store: pipeline.store,
      samples: watch?.seen() ?? { atMs: [], next: [], bases: [] },
    });
    const after = await look();
    const footprints = before && connected && after && { before, connected, after };
    const reading = (wanted: Phase): Usage | undefined =>
      readings.find(({ phase }) => phase === wanted)?.usage;
    const [begun, ended] = [reading('run'), reading('end')];
    if (!begun || !ended) throw new Error('the generator told no phases');
    const used = usage(begun, ended, result.runSent);
    const churn = result.presence && churnCost(readings, result.presence.runChanges);
    const shares = generatorShares(begun, ended);
    const verdict = judge(
      result,
      loads.map(({ name, sent, scheduled, scheduleLag }) => {
        const share = Math.max(shares[name] ?? Number.NaN, churn?.generatorShare ?? 0);
        return { name, share, sent, scheduled, lagP99Ms: scheduleLag.p99 };
      }),
    );
    const soak = samples ? soakOf(samples, result.slices) : null;
    return {
      subject: pipeline.subject,
      seed: run.seed,
      seconds: options.seconds,
      deliveriesPerSecond: result.latency.delivered.count / options.seconds,
      verdict: soak ? judgeSoak(verdict, soak) : verdict,
      connect,
      result,
      generators: loads.map((load) => ({ ...load, share: shares[load.name] ?? Number.NaN })),
      ...used,
      memoryBytes: ended.memoryBytes,
      unstoredAtEnd: watch?.behind(highest, endMs) ?? null,
      storedAfterMs,
      churn,
      stores: footprints && {
        ...footprints,
        ...storeCosts(footprints, {
          connections: connect.open,
          messages: result.ledger.acknowledged,
        }),
      },
      soak,
    };
  } finally {
    run.abort.removeEventListener('abort', onAbort);
    await sampler?.stop();
    await watch?.stop();
    await generators.stop();
  }
}

async function watchOf({ store }: Pipeline): Promise<StoreWatch | null> {
  return store && StoreWatch.start(store);
}

/** Null: nothing is to be sampled, or the pipeline tells nothing. */
function samplerFor(
  pipeline: Pipeline,
  { sampleSeconds: every, seconds }: LoadOptions,
): Sampler | null {
  const { footprint, lag } = pipeline;
  if (every === null || !footprint || !lag) return null;
  const plan = { everyMs: every * 1000, times: Math.floor(seconds / every) };
  return new Sampler({ processes: () => pipeline.processes, footprint, lag }, plan);
}
