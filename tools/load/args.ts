import { parseArgs } from 'node:util';
import { LIMITS } from '@tidings/protocol/limits';
import { StackError } from '../stack/paths';
import { NUMBER_DIGITS } from './generator/frames';
import { type Bounds, MAX_GATEWAYS, wholeNumber } from './option-values';
import { loadScenario, under } from './scenario';
import { LEAST_VALUES } from './soak/slope';
import {
  DEFAULTS,
  type Workload,
  type WorkloadName,
  WORKLOAD_FLAGS,
  WORKLOAD_USAGE,
  churnRefusal,
  parseWorkload,
  workloadName,
} from './workload';

/** What `npm run load` was asked for. */
export interface LoadOptions {
  workload: Workload;
  /** messages, connects or calls per second over all users */
  rate: number;
  seconds: number;
  warmupSeconds: number;
  /** users that are connected, or connect */
  users: number;
  runs: number;
  textBytes: number;
  seed: number;
  label: string;
  /** which pipelines, in the order of each round */
  subjects: Subject[];
  /** base addresses of the gateways to use, or all */
  gateways: string[] | null;
  ownStack: boolean;
  /** servers of which only these addresses are known; null: a stack of this checkout */
  servers: string[] | null;
  /** stacks of one's own with so many gateways, in turn; null: one stack */
  scale: number[] | null;
  /** connection counts of the idle workload; null: the message workload */
  idle: [number, number] | null;
  jsonFile: string | null;
  /** a page that shows it; null: none */
  htmlFile: string | null;
  /** processes that make the load */
  generators: number;
  /** CPU that the generator is pinned to; null: none */
  pin: number | null;
  drainSeconds: number;
  /** between two samples of what must not grow; null: nobody looks */
  sampleSeconds: number | null;
}

/** What is measured: the product, or the bare pipeline that it is compared with. */
export type Subject = 'baseline' | 'product';

export const USAGE = `Usage: npm run load -- [options]

  --scenario NAME   a file of options (tools/load/scenarios/NAME.json, or a path); what else is given here
                    counts instead of what it says
  --rate N          messages per second, over all users (1000)
  --seconds N       length of the measured phase (30)
  --warmup N        seconds before it (30)
  --users N         users, in pairs that write to each other (500)
  --runs N          how often (1)
  --text N          bytes of a message's text (128)
  --baseline        measure the bare pipeline (sockets, log, route, insert; no checks) instead
  --compare         both in turn, each the first of every other round, with the ratio; with --own-stack
                    each has the machine for itself and begins with new processes
  --idle A,B        no messages: memory per idle connection, from A to B connections
  --own-stack       start a stack of its own, without rate limits, instead of using the running one
  --scale N,N       with --own-stack: one stack after the other with so many gateways, e.g. 1,2,4, and one
                    table of all
  --server URL      servers of which only the address is known, compose's or any (again for more): accounts
                    are registered, and stay; what is stored is read from the history
  --gateways U,U    base addresses of the gateways to use (all of the running stack)
  --json FILE       write everything that was measured as JSON
  --html FILE       write a page that shows it, of runs with messages
  --label TEXT      a name for this measurement
  --seed N          repeat a schedule (random; it is printed)
  --generators N    processes that make the load, each with its part of the conversations (1); for pairs,
                    groups, receipts and --idle
  --pin CPU         pin the generator to one CPU
  --samples N       every N seconds of the run phase, look at memory, p99, Redis' keys and consumers' lag: a
                    run in which one of them grows has failed (of the product, at least 5 samples)
  --drain N         longest wait, in seconds, for deliveries after the last send (60)
${WORKLOAD_USAGE}`;

const FLAGS = {
  ...WORKLOAD_FLAGS,
  scenario: { type: 'string' },
  rate: { type: 'string' },
  seconds: { type: 'string' },
  warmup: { type: 'string' },
  users: { type: 'string' },
  runs: { type: 'string' },
  text: { type: 'string' },
  gateways: { type: 'string' },
  server: { type: 'string', multiple: true },
  baseline: { type: 'boolean' },
  compare: { type: 'boolean' },
  idle: { type: 'string' },
  json: { type: 'string' },
  html: { type: 'string' },
  scale: { type: 'string' },
  label: { type: 'string' },
  seed: { type: 'string' },
  generators: { type: 'string' },
  pin: { type: 'string' },
  drain: { type: 'string' },
  samples: { type: 'string' },
  'own-stack': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Workloads of messages alone: each conversation stands for itself, and is seen through the public interface. */
const MESSAGES: readonly WorkloadName[] = ['pairs', 'groups', 'receipts'];
/** An access token lives for 15 minutes; connecting, waiting and reading back take their part. */
const MAX_LOGIN_SECONDS = 600;

/** Each of them is a histogram of 80 KiB. */
const MAX_SAMPLES = 240;

/** Memory of the ledger bounds a run: some 60 bytes per delivery. */
const MAX_DELIVERIES = 40_000_000;

/**
 * Reads the command line and the scenario that it names; null when help was asked for.
 * @throws StackError naming the option that cannot be used.
 */
export function parseLoadArgs(
  argv: readonly string[],
  randomSeed: () => number,
): LoadOptions | null {
  const given = plainly(() => parse(argv));
  if (given.help) return null;
  const scenario = given.scenario === undefined ? null : loadScenario(given.scenario);
  const values = scenario ? under(scenario, given) : given;
  if (values.baseline && values.compare) refuse('--baseline and --compare: one of them');
  if (values.idle !== undefined && (values.baseline || values.compare)) {
    refuse('--idle goes with neither --baseline nor --compare');
  }
  const name = plainly(() => workloadName(values.workload));
  if (name !== 'pairs' && (values.idle !== undefined || values.baseline || values.compare)) {
    refuse(`--workload ${name} goes with none of --baseline, --compare, --idle`);
  }
  const workload = plainly(() => parseWorkload(name, values));
  const options: LoadOptions = {
    workload,
    rate: rateOf(values, workload),
    seconds: number('seconds', values.seconds, { fallback: 30, min: 1, max: 3600 }),
    warmupSeconds: number('warmup', values.warmup, { fallback: 30, min: 0, max: 600 }),
    users: number('users', values.users, { fallback: DEFAULTS[name].users, min: 2, max: 50_000 }),
    runs: number('runs', values.runs, { fallback: 1, min: 1, max: 20 }),
    textBytes: number('text', values.text, {
      fallback: 128,
      min: NUMBER_DIGITS,
      max: LIMITS.textBytes,
    }),
    seed: number('seed', values.seed, { fallback: randomSeed(), min: 0, max: 0xffff_ffff }),
    label: values.label ?? (scenario ? `${scenario.name}: ${scenario.about}` : ''),
    subjects: values.compare ? ['baseline', 'product'] : [values.baseline ? 'baseline' : 'product'],
    gateways: values.gateways === undefined ? null : addresses('gateways', values.gateways),
    ownStack: values['own-stack'] ?? false,
    servers: values.server?.flatMap((text) => addresses('server', text)) ?? null,
    scale: values.scale === undefined ? null : gatewayCounts(values.scale),
    idle: values.idle === undefined ? null : counts(values.idle),
    jsonFile: values.json ?? null,
    htmlFile: values.html ?? null,
    generators: number('generators', values.generators, { fallback: 1, min: 1, max: 16 }),
    pin:
      values.pin === undefined
        ? null
        : number('pin', values.pin, { fallback: 0, min: 0, max: 1023 }),
    drainSeconds: number('drain', values.drain, { fallback: 60, min: 1, max: 600 }),
    sampleSeconds:
      values.samples === undefined
        ? null
        : number('samples', values.samples, { fallback: 60, min: 1, max: 600 }),
  };
  if (options.users % 2 !== 0) refuse('--users: an even number is expected');
  if (options.users % workload.online !== 0) {
    refuse(`--users: a multiple of the ${workload.online} of each group is expected`);
  }
  const connects = syncs(workload);
  if (connects && (workload.conversations % 2 !== 0 || workload.conversations >= options.users)) {
    refuse('--conversations: an even number below that of the users is expected');
  }
  refuseGenerators(options);
  refuseSides(options);
  refuseSamples(options);
  refuseServers(options);
  if (workload.churn) {
    const { users, seconds, warmupSeconds } = options;
    const refusal = churnRefusal(workload.churn, { users, seconds: seconds + warmupSeconds });
    if (refusal !== null) refuse(refusal);
  }
  const messages = options.rate * (options.seconds + options.warmupSeconds);
  if (messages * workload.online > MAX_DELIVERIES) {
    refuse(`--rate × seconds: at most ${MAX_DELIVERIES} deliveries per run`);
  }
  return options;
}

/** Whether its devices only sync, by a socket or by a call. */
function syncs({ name }: Workload): boolean {
  return name === 'connects' || name === 'sync-http';
}

/** What stands side by side are runs of the product with messages, on stacks that were started for it. */
function refuseSides({ scale, htmlFile, ownStack, idle, subjects, workload }: LoadOptions): void {
  if (htmlFile !== null && (idle || syncs(workload))) refuse('--html is for runs with messages');
  if (scale === null) return;
  if (!ownStack) refuse('--scale goes with --own-stack');
  if (idle || syncs(workload) || subjects.includes('baseline')) {
    refuse('--scale goes with messages of the product only');
  }
}

/** What a long run may add: the bare pipeline tells nothing, and a slope needs some samples. */
function refuseSamples({ sampleSeconds, seconds, idle, subjects, workload }: LoadOptions): void {
  if (sampleSeconds === null) return;
  if (idle || syncs(workload) || subjects.includes('baseline')) {
    refuse('--samples goes with messages of the product only');
  }
  if (seconds < LEAST_VALUES * sampleSeconds) {
    refuse(`--samples: at least ${LEAST_VALUES} of them are needed in --seconds`);
  }
  if (seconds > MAX_SAMPLES * sampleSeconds) {
    refuse(`--samples: at most ${MAX_SAMPLES} of them fit in --seconds`);
  }
}

/** At servers that are somebody else's there is nothing but the public interface, and a login ends after a while. */
function refuseServers(options: LoadOptions): void {
  const { servers, ownStack, gateways, sampleSeconds, subjects, idle, workload } = options;
  if (servers === null) return;
  if (ownStack || gateways) refuse('--server goes with neither --own-stack nor --gateways');
  if (sampleSeconds !== null) refuse('--server goes without --samples: nobody can look at memory');
  if (idle || subjects.includes('baseline') || !MESSAGES.includes(workload.name)) {
    refuse(`--server goes with messages only (--workload ${MESSAGES.join(', ')})`);
  }
  const seconds = (options.warmupSeconds + options.seconds) * options.runs;
  if (seconds > MAX_LOGIN_SECONDS) {
    refuse(`--server: all runs together at most ${MAX_LOGIN_SECONDS} s, or logins end`);
  }
}

/** A generator has whole conversations; watchers and those they watch are in one. */
function refuseGenerators({ generators, pin, workload, users }: LoadOptions): void {
  if (generators === 1) return;
  if (!MESSAGES.includes(workload.name)) {
    refuse(`--generators: --workload ${workload.name} has one`);
  }
  if (pin !== null) refuse('--pin goes with one generator');
  if (users / workload.online < generators) {
    refuse(`--generators: at most one for each of the ${users / workload.online} conversations`);
  }
}

function parse(argv: readonly string[]) {
  return parseArgs({ args: [...argv], options: FLAGS, strict: true, allowPositionals: false })
    .values;
}

/** Messages per second, also where deliveries were asked for. */
function rateOf(values: { rate?: string; deliveries?: string }, workload: Workload): number {
  const { rate } = DEFAULTS[workload.name];
  if (values.deliveries === undefined) {
    return number('rate', values.rate, { fallback: rate, min: 1, max: 100_000 });
  }
  if (values.rate !== undefined) refuse('--rate and --deliveries: one of them');
  const deliveries = number('deliveries', values.deliveries, {
    fallback: 0,
    min: workload.online,
    max: 1_000_000,
  });
  return Math.ceil(deliveries / workload.online);
}

/** Adds the usage to what is wrong. */
function plainly<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function refuse(sentence: string): never {
  throw new StackError(`${sentence}\n\n${USAGE}`);
}

function number(name: string, text: string | undefined, bounds: Bounds): number {
  return plainly(() => wholeNumber(name, text, bounds));
}

function addresses(option: string, text: string): string[] {
  return text.split(',').map((part) => {
    if (!URL.canParse(part.trim())) refuse(`--${option}: "${part}" is not an address`);
    const url = new URL(part.trim());
    if (url.protocol !== 'http:') refuse(`--${option}: "${part}" is not an http address`);
    return url.origin;
  });
}

function gatewayCounts(text: string): number[] {
  const all = text.split(',').map(Number);
  const fit = all.every((one) => Number.isInteger(one) && one >= 1 && one <= MAX_GATEWAYS);
  if (fit && new Set(all).size === all.length) return all;
  return refuse(`--scale: different numbers from 1 to ${MAX_GATEWAYS} are expected, e.g. 1,2,4`);
}

function counts(text: string): [number, number] {
  const [few = NaN, many = NaN, ...rest] = text.split(',').map(Number);
  const fits = Number.isInteger(few) && Number.isInteger(many) && few > 0 && many > few;
  if (!fits || rest.length > 0 || many > 50_000) {
    refuse('--idle: two rising numbers of connections are expected, e.g. 2000,12000');
  }
  return [few, many];
}
