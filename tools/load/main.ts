import { randomInt } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { StackError } from '../stack/paths';
import { logInForReal, removeAccounts } from './accounts';
import { type LoadOptions, type Subject, USAGE, parseLoadArgs } from './args';
import { openBaseline } from './baseline/pipeline';
import { churnLines, churnSummaryText } from './churn-report';
import { environment } from './environment';
import { idleText, measureIdle } from './idle';
import { type RunReport, measure } from './measure';
import { type Pipeline, orderOf } from './pipeline';
import { pageOf } from './page/page';
import { type Population, openProduct } from './product';
import {
  type LoadReport,
  headText,
  idleHeadText,
  receiptsRatioText,
  runText,
  summaryText,
} from './report';
import { syncHeadText, syncSummaryText, syncText } from './sync-report';
import { openServers } from './servers';
import { type Side, sideBySide, sideBySideText } from './side-by-side';
import { SyncMeasurement, type SyncReport } from './syncs';
import { type Target, openTarget } from './target';
import { type Verdict, worstOf } from './verdict';
import { READ_WITHIN_SECONDS, type WorkloadName, talkersOf } from './workload';

/** `npm run load`: drives the stack, measures, checks every message and reports. */

const EXIT = { PASSED: 0, FAILED: 1, VOID: 2, interrupted: 130 } as const;
const MAX_SEED = 2 ** 32;
/** A line of progress is written so often, in milliseconds. */
const PROGRESS_MS = 5_000;
/** Files that are open beside the sockets. */
const SPARE_FILES = 100;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function log(line: string): void {
  process.stderr.write(`  ${line}\n`);
}

class Load {
  private readonly abort = new AbortController();
  /** of the stack under load */
  private users: Pipeline | null = null;
  /** with `--scale`: runs by number of gateways; else all runs, by what is measured */
  private readonly sides: Side[] = [];
  /** What is done at the moment, and since when; for the lines of progress. */
  private doing = { what: 'opening the stack', since: performance.now() };

  constructor(private readonly options: LoadOptions) {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => this.abort.abort());
    }
  }

  /** Measures everything that was asked for; gives the exit code. */
  async run(): Promise<number> {
    const sockets = Math.max(this.options.users, this.options.idle?.[1] ?? 0);
    refuseTooManySockets(Math.ceil(sockets / this.options.generators));
    const ticker = setInterval(() => this.showProgress(), PROGRESS_MS);
    const { scale, servers } = this.options;
    try {
      if (servers !== null) return EXIT[await this.outside(servers)];
      if (scale === null) return EXIT[await this.on(null)];
      const outcomes: Pick<Verdict, 'outcome'>[] = [];
      for (const gateways of scale) outcomes.push({ outcome: await this.on(gateways) });
      say(sideBySideText(sideBySide(this.sides)));
      return EXIT[worstOf(outcomes)];
    } catch (error) {
      if (this.abort.signal.aborted) return EXIT.interrupted;
      throw plainly(error);
    } finally {
      clearInterval(ticker);
    }
  }

  /** Measures on one stack; `gateways`: one with so many, null: as it is. */
  private async on(gateways: number | null): Promise<Verdict['outcome']> {
    let target: Target | null = null;
    const product = this.options.subjects.includes('product');
    this.users = null;
    this.begin('opening the stack');
    try {
      target = await openTarget(this.options, gateways, log, this.abort.signal);
      if (product && !(await this.peopleGetIn(target))) return 'VOID';
      return await this.against(target, gateways);
    } finally {
      if (target && product) await this.tidyUp(target);
      await target?.stop();
    }
  }

  /** Measures on servers of which only the addresses are known. */
  private async outside(servers: string[]): Promise<Verdict['outcome']> {
    this.begin('registering and logging in');
    const pipeline = await openServers(servers, this.population(), this.abort.signal);
    log(`${pipeline.devices.length} accounts logged in through HTTP; they stay`);
    return this.messages(this.about(servers.join(', ')), null, () => Promise.resolve(pipeline));
  }

  private about(target: string): Omit<LoadReport, 'runs'> {
    const { options } = this;
    return { label: options.label, environment: environment(new Date()), target, options };
  }

  private begin(what: string): void {
    this.doing = { what, since: performance.now() };
  }

  private showProgress(): void {
    const { what, since } = this.doing;
    log(`${what}: ${Math.round((performance.now() - since) / 1000)} s`);
  }

  /** Whether people can register and log in; without that no figure is worth anything. */
  private async peopleGetIn(target: Target): Promise<boolean> {
    this.begin('registering and logging in');
    const users = this.options.idle?.[1] ?? this.options.users;
    try {
      const count = await logInForReal(target, users, this.abort.signal);
      log(`${count} accounts registered and logged in through HTTP`);
      return true;
    } catch (error) {
      this.abort.signal.throwIfAborted();
      say(`VOID: people cannot register and log in: ${(plainly(error) as Error).message}`);
      return false;
    }
  }

  /** Removes what this tool has made; also after Ctrl-C. Never rejects. */
  private async tidyUp(target: Target): Promise<void> {
    try {
      log(`${await removeAccounts(target)} accounts of the load are removed`);
    } catch (error) {
      log(`The accounts of the load could not be removed: ${String(error)}`);
    }
  }

  private async against(target: Target, gateways: number | null): Promise<Verdict['outcome']> {
    const { options } = this;
    const about = this.about(target.description);
    if (options.idle) return this.idle(target, { ...options, idle: options.idle }, about);
    const { name } = options.workload;
    if (name === 'connects' || name === 'sync-http') return this.syncs(target, name, about);
    return this.messages(about, gateways, async (subject) => {
      await this.aloneAndNew(target, subject);
      return subject === 'baseline' ? openBaseline(target, options) : this.product(target);
    });
  }

  /** All runs with messages over pipelines that are opened one by one. */
  private async messages(
    about: Omit<LoadReport, 'runs'>,
    gateways: number | null,
    open: (subject: Subject) => Promise<Pipeline>,
  ): Promise<Verdict['outcome']> {
    const { options } = this;
    const { name } = options.workload;
    const which = gateways === null ? [] : [gatewaysText(gateways)];
    say(headText({ ...about, target: [about.target, ...which].join(', ') }));
    const runs: RunReport[] = [];
    for (let round = 1; round <= options.runs; round++) {
      const seed = this.seedOf(round);
      const all = variants(name, orderOf(round, options.subjects));
      for (const { title, subject, readWithinMs } of all) {
        const { warmupSeconds, seconds } = options;
        this.begin(
          `${title} ${round}/${options.runs} (connects, then ${warmupSeconds} s + ${seconds} s of load)`,
        );
        const report = await this.once(await open(subject), { seed, readWithinMs });
        runs.push(report);
        say(runText(report, `${title} ${round}/${options.runs}`, churnLines(report)));
        this.publish(sideOf(gateways, all.length === 1 ? null : title), runs, about);
      }
    }
    say(name === 'receipts' ? receiptsRatioText(runs) : summaryText(runs));
    if (name === 'presence') say(churnSummaryText(runs));
    return worstOf(runs.map(({ verdict }) => verdict));
  }

  /** Writes what is known by now: an interrupted measurement has its files. */
  private publish(
    label: string,
    runs: readonly RunReport[],
    about: Omit<LoadReport, 'runs'>,
  ): void {
    const side = this.sides.find((one) => one.label === label) ?? { label, runs: [] };
    if (!this.sides.includes(side)) this.sides.push(side);
    side.runs.push(runs[runs.length - 1]!);
    const { scale, htmlFile } = this.options;
    this.write({ ...about, ...(scale === null ? { runs } : { sides: this.sides }) });
    if (htmlFile === null) return;
    writeFileSync(htmlFile, pageOf(headText(about).trim(), sideBySide(this.sides)));
  }

  private async syncs(
    target: Target,
    name: 'connects' | 'sync-http',
    about: Omit<LoadReport, 'runs'>,
  ): Promise<Verdict['outcome']> {
    const { options } = this;
    say(syncHeadText(about));
    const runs: SyncReport[] = [];
    for (let round = 1; round <= options.runs; round++) {
      this.begin(`${name} ${round}/${options.runs}`);
      const measurement = new SyncMeasurement(target, options, this.abort.signal);
      await measurement.run(name, this.seedOf(round), (report) => {
        runs.push(report);
        say(syncText(report, `${round}/${options.runs}`));
        this.write({ ...about, runs });
      });
    }
    say(syncSummaryText(runs));
    return worstOf(runs.map(({ verdict }) => verdict));
  }

  private seedOf(round: number): number {
    return (this.options.seed + round - 1) % MAX_SEED;
  }

  private async once(
    pipeline: Pipeline,
    run: { seed: number; readWithinMs: number | null },
  ): Promise<RunReport> {
    try {
      return await measure(pipeline, this.options, { ...run, abort: this.abort.signal });
    } finally {
      await pipeline.stop();
    }
  }

  /** Of two that are compared the other one stands still, and each begins with processes that are new. */
  private async aloneAndNew({ services }: Target, subject: Subject): Promise<void> {
    if (!services || this.options.subjects.length < 2) return;
    await (subject === 'baseline' ? services.stop() : services.startAnew());
  }

  /** The product's users are made once. */
  private async product(target: Target): Promise<Pipeline> {
    this.users ??= await openProduct(target, this.population(), this.abort.signal);
    return this.users;
  }

  private population(): Population {
    const { users, workload } = this.options;
    const { groupSize, online, churn } = workload;
    const pairs = { pairs: (churn ? talkersOf(users) : users) / 2 };
    return { users, conversations: groupSize === 2 ? pairs : { groupSize, online } };
  }

  private async idle(
    target: Target,
    options: LoadOptions & { idle: [number, number] },
    about: Omit<LoadReport, 'runs'>,
  ): Promise<Verdict['outcome']> {
    const users = options.idle[1];
    const population = { users, conversations: null };
    const pipeline = await openProduct(target, population, this.abort.signal);
    say(idleHeadText(about));
    this.begin('measuring idle connections');
    const report = await measureIdle(target, pipeline, options, this.abort.signal);
    say(idleText(report));
    this.write({ ...about, idle: report });
    return 'PASSED';
  }

  private write(report: object): void {
    const { jsonFile } = this.options;
    if (jsonFile !== null) writeFileSync(jsonFile, `${JSON.stringify(report, null, 2)}\n`);
  }
}

/** What a run's column is called. */
function sideOf(gateways: number | null, title: string | null): string {
  const parts = [gateways === null ? null : gatewaysText(gateways), title];
  return parts.filter((part) => part !== null).join(', ') || 'product';
}

function gatewaysText(count: number): string {
  return count === 1 ? '1 gateway' : `${count} gateways`;
}

/** The runs of one round. */
function variants(
  name: WorkloadName,
  subjects: readonly Subject[],
): { title: string; subject: Subject; readWithinMs: number | null }[] {
  if (name !== 'receipts') {
    return subjects.map((subject) => ({ title: subject, subject, readWithinMs: null }));
  }
  const subject = 'product';
  return [
    { title: 'without receipts', subject, readWithinMs: null },
    { title: 'everybody reads', subject, readWithinMs: READ_WITHIN_SECONDS * 1000 },
  ];
}

/** Every user is an open file of the generator; the hard limit counts, Node raises the soft one. */
function refuseTooManySockets(sockets: number): void {
  const match = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  const limit = Number(match?.[1] ?? Infinity);
  if (sockets + SPARE_FILES <= limit) return;
  throw new StackError(
    `${sockets} connections need more open files than this system allows (${limit}): raise it (ulimit -Hn) or use fewer.`,
  );
}

/** The stack's limits protect it from people who do what this program does. */
function plainly(error: unknown): unknown {
  const limited = error instanceof Error && / 429\b/.test(error.message);
  if (!limited) return error;
  return new StackError(
    `The stack limits this load (${error.message}): start it with RATE_LIMITS=off ` +
      'HTTP_RATE_PER_MINUTE=0 AUTH_RATE_PER_MINUTE=0 ADDRESS_CONNECTIONS=0 CONNECT_RATE_PER_SECOND=0, or use --own-stack.',
  );
}

async function main(): Promise<number> {
  const options = parseLoadArgs(process.argv.slice(2), () => randomInt(MAX_SEED));
  if (options) return new Load(options).run();
  say(USAGE);
  return EXIT.PASSED;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const text =
      error instanceof StackError ? error.message : error instanceof Error ? error.stack : error;
    process.stderr.write(`${String(text)}\n`);
    process.exit(EXIT.FAILED);
  },
);
