import type { Exit } from './child';
import type { UnexpectedExit } from './managed-process';

/** A running server or service of a stack. Its port and data stay the same over `restart`. */
export interface ProcessHandle {
  /** loopback port */
  readonly port: number;
  /** process id, the last one while it is down */
  readonly pid: number;
  readonly logPath: string;
  isAlive(): boolean;
  /** Sends a signal and returns at once: SIGSTOP, SIGCONT, SIGUSR2. False when the process has ended. */
  signal(signal: NodeJS.Signals): boolean;
  /** Ends the process by this signal (SIGKILL unless told) and waits for its end. The data stays. */
  kill(signal?: NodeJS.Signals): Promise<Exit>;
  /** Shuts it down properly, by SIGKILL after 10 s. */
  stop(): Promise<void>;
}

/** Kafka, Redis or PostgreSQL. */
export interface ServerHandle extends ProcessHandle {
  readonly name: string;
  /** what a client needs: `127.0.0.1:9092`, `redis://…` or `postgres://user:password@…` */
  readonly url: string;
  /** Starts it again (stopping it first when it runs) on the same port with the same data; resolves when it answers. */
  restart(): Promise<void>;
}

/** What every server needs to start. */
export interface ServerOptions {
  /** Its data goes to `<dir>/<name>`, its log to `<dir>/logs/<name>.log`. */
  dir: string;
  /** loopback port; must be free */
  port: number;
  /** calls a start off */
  abort?: AbortSignal;
  onUnexpectedExit?: UnexpectedExit;
}
