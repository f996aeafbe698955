import { setTimeout as delay } from 'node:timers/promises';
import { Child, type ChildSpec, type Exit, waitUntilReady } from './child';
import { StackError, throwIfStopped } from './paths';
import { isFree } from './ports';

/** Between two starts of a process that may start later, in milliseconds. */
const RETRY_MS = 100;

/** What differs between the processes of a stack. */
export interface ProcessPlan {
  /** `kafka`, `gateway-1`, … */
  name: string;
  /** loopback port it listens on */
  port: number;
  url: string;
  logPath: string;
  /** made anew at each start */
  spec: () => Omit<ChildSpec, 'name' | 'logPath'>;
  /** true when the process serves its purpose */
  probe: () => Promise<boolean>;
  /** milliseconds from start to a true probe */
  readyTimeoutMs: number;
  /** Text in the message of a failed start that says: soon it may work. Then it is tried again. */
  startsLater?: string;
  /** calls a start off */
  abort?: AbortSignal;
  /** told when the process ended without having been asked to */
  onUnexpectedExit?: UnexpectedExit;
  /** told of every end */
  onExit?: (exit: Exit) => void;
}

/** Takes a process that ended without having been asked to. */
export type UnexpectedExit = (process: ManagedProcess, exit: Exit) => void;

/** The common life of servers and services: start, probe, kill, stop, restart on the same port. */
export class ManagedProcess {
  private child: Child | undefined;
  /** true while the process is meant to run */
  private wanted = false;

  constructor(private readonly plan: ProcessPlan) {}

  get name(): string {
    return this.plan.name;
  }

  get port(): number {
    return this.plan.port;
  }

  get url(): string {
    return this.plan.url;
  }

  get logPath(): string {
    return this.plan.logPath;
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  isAlive(): boolean {
    return this.child?.isAlive() ?? false;
  }

  /**
   * Starts the process and waits until it answers; on failure nothing is left running.
   * @throws StackError
   */
  async start(): Promise<void> {
    const { startsLater, readyTimeoutMs } = this.plan;
    const end = Date.now() + readyTimeoutMs;
    for (;;) {
      try {
        return await this.startOnce();
      } catch (error) {
        const later = startsLater !== undefined && String(error).includes(startsLater);
        if (!later || Date.now() > end) throw error;
        await delay(RETRY_MS);
      }
    }
  }

  private async startOnce(): Promise<void> {
    const { name, port, logPath, spec, probe, readyTimeoutMs, abort } = this.plan;
    throwIfStopped(abort);
    if (this.isAlive()) throw new StackError(`${name} runs already.`);
    if (!(await isFree(port))) throw new StackError(`Port ${port}, chosen for ${name}, is in use.`);
    const child = await Child.start({ ...spec(), name, logPath });
    this.child = child;
    try {
      await waitUntilReady(child, probe, readyTimeoutMs, abort);
    } catch (error) {
      await child.stop();
      throw error;
    }
    this.wanted = true;
    void child.exited.then((exit) => {
      this.plan.onExit?.(exit);
      if (this.wanted && this.child === child) this.plan.onUnexpectedExit?.(this, exit);
    });
  }

  signal(signal: NodeJS.Signals): boolean {
    return this.child?.signal(signal) ?? false;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    this.wanted = false;
    return this.child?.kill(signal) ?? { code: null, signal: null };
  }

  async stop(): Promise<void> {
    this.wanted = false;
    await this.child?.stop();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }
}
