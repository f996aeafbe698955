import { Client } from 'pg';
import { ApiError } from '../api';
import { Connections } from './connections';
import type { ConnectsPlan } from './connects-protocol';
import { LoadRun } from './load-run';
import { LoopWatch } from './loop-lag';
import type {
  CallMessage,
  ConnectPlan,
  Drained,
  FinishPlan,
  GeneratorAccount,
  GeneratorMessage,
  Phase,
  RunPlan,
  StartPlan,
} from './protocol';
import { readHistory } from './read-history';
import { readStored } from './read-stored';
import { repairHoles } from './repair';
import { SyncRun } from './sync-run';

/**
 * A generator process: holds sockets and nothing else, so that its CPU share can be judged. It does what its parent calls for and ends with it.
 */
class GeneratorProcess {
  private readonly connections = new Connections();
  private readonly syncs = new SyncRun();
  private readonly loop = new LoopWatch();
  private run: LoadRun | null = null;
  private plan: RunPlan | null = null;

  async call(message: CallMessage): Promise<unknown> {
    switch (message.call) {
      case 'connect':
        return this.connections.connect(message.input as ConnectPlan);
      case 'prepare':
        await this.prepare(message.input as RunPlan);
        return null;
      case 'run':
        return this.begin(message.input as StartPlan);
      case 'finish':
        return this.finish(message.input as FinishPlan);
      case 'connects':
        return this.syncs.run(message.input as ConnectsPlan, 'socket', (phase) => tell({ phase }));
      case 'posts':
        return this.syncs.run(message.input as ConnectsPlan, 'post', (phase) => tell({ phase }));
      case 'learn':
        await this.syncs.learn(message.input as ConnectsPlan);
        return null;
      case 'close':
        this.connections.close();
        return null;
    }
  }

  private async prepare(plan: RunPlan): Promise<void> {
    this.plan = plan;
    this.run = new LoadRun(this.connections, plan);
    await this.run.prepare();
  }

  private async begin({ startMs }: StartPlan): Promise<Drained> {
    if (!this.run) throw new Error('there is no run');
    return this.run.run(startMs, (phase) => this.tellPhase(phase));
  }

  private tellPhase(phase: Phase): void {
    if (phase === 'run') this.loop.start();
    else if (phase === 'end') this.loop.stop();
    tell({ phase });
  }

  private async finish(finish: FinishPlan): Promise<GeneratorAccount> {
    const { run, plan } = this;
    if (!run || !plan) throw new Error('there was no run');
    if (plan.historyUrls.length > 0) {
      await repairHoles({ run, plan, devices: this.connections.devices });
    }
    await run.compareLastWords(plan.historyUrls);
    if (finish.store) await readRows(finish.store, run, plan);
    else await readHistory({ run, plan, devices: this.connections.devices });
    const result = run.result(finish.samples, true);
    this.run = null;
    return { result, loopLag: this.loop.lag() };
  }
}

async function readRows(
  { databaseUrl, messagesSql: sql }: NonNullable<FinishPlan['store']>,
  run: LoadRun,
  plan: RunPlan,
): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await readStored({ client, sql, run, plan });
  } finally {
    await client.end();
  }
}

function tell(message: GeneratorMessage): void {
  process.send?.(message);
}

function reasonOf(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

const generator = new GeneratorProcess();
process.on('message', (message: CallMessage) => {
  generator.call(message).then(
    (output) => tell({ id: message.id, output }),
    (error: unknown) => tell({ id: message.id, error: reasonOf(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
