import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type {
  CallMessage,
  CallName,
  GeneratorCalls,
  GeneratorMessage,
  Phase,
} from './generator/protocol';

const EXIT_GRACE_MS = 5000;

/** The generator process, seen from its parent. */
export class GeneratorHandle {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<
    number,
    { resolve: (output: unknown) => void; reject: (error: Error) => void }
  >();
  private nextId = 1;
  private ended = false;

  /** @param onPhase told when a phase of a run begins, in the same turn as the message arrives */
  constructor(
    private readonly onPhase: (phase: Phase) => void,
    pin: number | null,
  ) {
    this.child = fork(join(__dirname, 'generator', 'process.js'), [], {
      // few and short collections while sending: a process that stands still sends late
      execArgv: ['--max-semi-space-size=16', '--heap-growing-percent=100', '--enable-source-maps'],
      serialization: 'advanced',
      // a session of its own, as the stack's processes have: Linux shares the CPU among sessions first
      detached: true,
    });
    this.child.on('message', (message: GeneratorMessage) => this.take(message));
    this.child.once('exit', (code, signal) => this.end(code, signal));
    this.child.once('error', () => this.end(-1, null));
    if (pin !== null) this.pin(pin);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Calls the generator; rejects with its error, or when it ends. */
  call<K extends CallName>(
    call: K,
    input: GeneratorCalls[K]['input'],
  ): Promise<GeneratorCalls[K]['output']> {
    return new Promise((resolve, reject) => {
      if (this.ended) return reject(new Error('the generator has ended'));
      const message: CallMessage = { id: this.nextId++, call, input };
      this.waiting.set(message.id, {
        resolve: (output) => resolve(output as GeneratorCalls[K]['output']),
        reject,
      });
      this.child.send(message);
    });
  }

  /** Closes the sockets and ends the process, in bounded time. */
  async stop(): Promise<void> {
    if (this.ended) return;
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    const timer = setTimeout(() => this.child.kill('SIGKILL'), EXIT_GRACE_MS);
    await this.call('close', null).catch(() => undefined);
    if (this.child.connected) this.child.disconnect();
    await exited;
    clearTimeout(timer);
  }

  private pin(cpu: number): void {
    const result = spawnSync('taskset', ['-a', '-c', '-p', String(cpu), String(this.pid)]);
    if (result.status !== 0) {
      throw new Error(`The generator could not be pinned to CPU ${cpu}: is taskset installed?`);
    }
  }

  private take(message: GeneratorMessage): void {
    if ('phase' in message) {
      this.onPhase(message.phase);
      return;
    }
    const waiter = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if ('error' in message) waiter?.reject(new Error(`generator: ${message.error}`));
    else waiter?.resolve(message.output);
  }

  private end(code: number | null, signal: NodeJS.Signals | null): void {
    this.ended = true;
    for (const { reject } of this.waiting.values()) {
      reject(new Error(`the generator ended (${signal ?? `exit code ${code}`})`));
    }
    this.waiting.clear();
  }
}
