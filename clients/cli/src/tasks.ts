import { Cancelled } from './cancelled';

/** A command that takes longer than this is named in the line of status, in milliseconds. */
const NAMED_AFTER_MS = 300;
/** A command that has no answer after this is not waited for any longer, in milliseconds. */
const DEADLINE_MS = 20_000;

/** How a command is carried out. */
export interface TaskKind {
  /** What was typed. */
  line: string;
  /** It has no deadline: it goes on beside everything else until it is done or given up. */
  patient?: boolean;
}

interface Task extends TaskKind {
  since: number;
  abort: AbortController;
}

/**
 * Commands under way. Nobody waits for them but those that have to follow: each ends by itself, by
 * its deadline, or when the person gives it up.
 */
export class Tasks {
  private readonly running = new Set<Task>();
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly deps: {
      /** What {@link named} says has changed. */
      changed(): void;
      /** A command failed. */
      failed(error: unknown): void;
      /** A command is not waited for any longer. */
      note(text: string): void;
      /** Whether a question waits for its answer: people may think as long as they like. */
      asking(): boolean;
    },
    private readonly deadlineMs = DEADLINE_MS,
  ) {}

  /** Names of commands that take their time, with what can be done about it. */
  named(): string[] {
    const now = performance.now();
    const late = [...this.running].filter((task) => now - task.since >= NAMED_AFTER_MS);
    if (late.length === 0) return [];
    const names = late.map(({ line }) => line.split(/\s/u, 1)[0]!);
    return [`${names.join(', ')} … (Esc gives up)`];
  }

  /** What was typed and is not done. */
  unfinished(): string[] {
    return [...this.running].map(({ line }) => line);
  }

  /**
   * Carries a command out. Settles when it is done, has failed or is given up; never rejects. `work`
   * is told by its signal that nobody waits any more.
   */
  async run(kind: TaskKind, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const task: Task = { ...kind, since: performance.now(), abort: new AbortController() };
    this.running.add(task);
    this.watch();
    const { signal } = task.abort;
    const given = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const done = work(signal).catch((error: unknown) => {
      if (!signal.aborted && !(error instanceof Cancelled)) this.deps.failed(error);
    });
    await Promise.race([done, given]);
    this.running.delete(task);
    this.deps.changed();
  }

  /** Gives everything up that is under way; false: there was nothing. */
  giveUp(): boolean {
    const tasks = [...this.running];
    for (const task of tasks) this.drop(task, 'given up');
    return tasks.length > 0;
  }

  /** Gives everything up without a word: the program ends. */
  end(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
    for (const { abort } of this.running) abort.abort();
    this.running.clear();
  }

  private drop(task: Task, why: string): void {
    const name = task.line.split(/\s/u, 1)[0]!;
    this.running.delete(task);
    task.abort.abort();
    this.deps.note(`${name}: ${why}; it may be carried out yet`);
  }

  /** Looks at deadlines as long as something is under way. */
  private watch(): void {
    this.timer ??= setInterval(() => {
      const now = performance.now();
      for (const task of this.running) {
        if (this.deps.asking()) task.since = now;
        else if (!task.patient && now - task.since > this.deadlineMs) this.drop(task, 'no answer');
      }
      this.deps.changed();
      if (this.running.size > 0) return;
      clearInterval(this.timer!);
      this.timer = null;
    }, NAMED_AFTER_MS);
  }
}
