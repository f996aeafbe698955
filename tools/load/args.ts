import { parseArgs } from 'node:util';
import { LIMITS } from '@tidings/common/contracts/limits';
import { StackError } from '../stack/paths';
import { NUMBER_DIGITS } from './generator/frames';

/** What `npm run load` was asked for. */
export interface LoadOptions {
  /** messages per second over all users */
  rate: number;
  seconds: number;
  warmupSeconds: number;
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
  /** connection counts of the idle workload; null: the message workload */
  idle: [number, number] | null;
  jsonFile: string | null;
  /** CPU that the generator is pinned to; null: none */
  pin: number | null;
  drainSeconds: number;
}

/** What is measured: the product, or the bare pipeline that it is compared with. */
export type Subject = 'baseline' | 'product';

export const USAGE = `Usage: npm run load -- [options]

  --rate N          messages per second, over all users (1000)
  --seconds N       length of the measured phase (30)
  --warmup N        seconds before it (30)
  --users N         users, in pairs that write to each other (500)
  --runs N          how often (1)
  --text N          bytes of a message's text (128)
  --baseline        measure the bare pipeline (sockets, log, route, insert; no checks) instead
  --compare         both in turn, with the ratio
  --idle A,B        no messages: memory per idle connection, from A to B connections
  --own-stack       start a stack of its own, without rate limits, instead of using the running one
  --gateways U,U    base addresses of the gateways to use (all of the running stack)
  --json FILE       write everything that was measured as JSON
  --label TEXT      a name for this measurement
  --seed N          repeat a schedule (random; it is printed)
  --pin CPU         pin the generator to one CPU
  --drain N         longest wait, in seconds, for deliveries after the last send (60)
`;

const FLAGS = {
  rate: { type: 'string' },
  seconds: { type: 'string' },
  warmup: { type: 'string' },
  users: { type: 'string' },
  runs: { type: 'string' },
  text: { type: 'string' },
  gateways: { type: 'string' },
  baseline: { type: 'boolean' },
  compare: { type: 'boolean' },
  idle: { type: 'string' },
  json: { type: 'string' },
  label: { type: 'string' },
  seed: { type: 'string' },
  pin: { type: 'string' },
  drain: { type: 'string' },
  'own-stack': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Memory of the ledger bounds a run: some 120 bytes per message. */
const MAX_MESSAGES = 20_000_000;

/**
 * Reads the command line; null when help was asked for.
 * @throws StackError naming the option that cannot be used.
 */
export function parseLoadArgs(
  argv: readonly string[],
  randomSeed: () => number,
): LoadOptions | null {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(argv);
  } catch (error) {
    throw new StackError(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
  if (values.help) return null;
  if (values.baseline && values.compare) refuse('--baseline and --compare: one of them');
  if (values.idle !== undefined && (values.baseline || values.compare)) {
    refuse('--idle goes with neither --baseline nor --compare');
  }
  const options: LoadOptions = {
    rate: number('rate', values.rate, { fallback: 1000, min: 1, max: 100_000 }),
    seconds: number('seconds', values.seconds, { fallback: 30, min: 1, max: 3600 }),
    warmupSeconds: number('warmup', values.warmup, { fallback: 30, min: 0, max: 600 }),
    users: number('users', values.users, { fallback: 500, min: 2, max: 50_000 }),
    runs: number('runs', values.runs, { fallback: 1, min: 1, max: 20 }),
    textBytes: number('text', values.text, {
      fallback: 128,
      min: NUMBER_DIGITS,
      max: LIMITS.textBytes,
    }),
    seed: number('seed', values.seed, { fallback: randomSeed(), min: 0, max: 0xffff_ffff }),
    label: values.label ?? '',
    subjects: values.compare ? ['baseline', 'product'] : [values.baseline ? 'baseline' : 'product'],
    gateways: values.gateways === undefined ? null : addresses(values.gateways),
    ownStack: values['own-stack'] ?? false,
    idle: values.idle === undefined ? null : counts(values.idle),
    jsonFile: values.json ?? null,
    pin:
      values.pin === undefined
        ? null
        : number('pin', values.pin, { fallback: 0, min: 0, max: 1023 }),
    drainSeconds: number('drain', values.drain, { fallback: 60, min: 1, max: 600 }),
  };
  if (options.users % 2 !== 0) refuse('--users: an even number is expected');
  if (options.rate * (options.seconds + options.warmupSeconds) > MAX_MESSAGES) {
    refuse(`--rate × seconds: at most ${MAX_MESSAGES} messages per run`);
  }
  return options;
}

function parse(argv: readonly string[]) {
  return parseArgs({ args: [...argv], options: FLAGS, strict: true, allowPositionals: false })
    .values;
}

function refuse(sentence: string): never {
  throw new StackError(`${sentence}\n\n${USAGE}`);
}

function number(
  name: string,
  text: string | undefined,
  bounds: { fallback: number; min: number; max: number },
): number {
  if (text === undefined) return bounds.fallback;
  const value = Number(text);
  if (text !== '' && Number.isInteger(value) && value >= bounds.min && value <= bounds.max) {
    return value;
  }
  return refuse(`--${name}: a whole number from ${bounds.min} to ${bounds.max} is expected`);
}

function addresses(text: string): string[] {
  return text.split(',').map((part) => {
    if (!URL.canParse(part.trim())) refuse(`--gateways: "${part}" is not an address`);
    const url = new URL(part.trim());
    if (url.protocol !== 'http:') refuse(`--gateways: "${part}" is not an http address`);
    return url.origin;
  });
}

function counts(text: string): [number, number] {
  const [few = NaN, many = NaN, ...rest] = text.split(',').map(Number);
  const fits = Number.isInteger(few) && Number.isInteger(many) && few > 0 && many > few;
  if (!fits || rest.length > 0 || many > 50_000) {
    refuse('--idle: two rising numbers of connections are expected, e.g. 2000,12000');
  }
  return [few, many];
}
