import { join } from 'node:path';
import { ChatUser } from './chat-user';
import { Program } from './program';

export interface CliOptions {
  /** Gateways, in the order in which they are asked; none: those of the stack that runs here. */
  servers: readonly string[];
  user: string;
  /** Where this machine remembers things (`XDG_STATE_HOME`). */
  home: string;
  /** Log in with the password; left out: with what the machine remembers. */
  password?: boolean;
  /** Further arguments. */
  args?: readonly string[];
  /** Further environment. */
  env?: Record<string, string>;
}

/** The terminal client as a process of its own, with pipes instead of a terminal. */
export class CliProcess extends Program {
  private constructor({ servers, user, home, password, args = [], env }: CliOptions) {
    const addresses = servers.flatMap((server) => ['--server', server]);
    super(join('clients', 'cli', 'src', 'main.js'), {
      args: [...addresses, '--user', user, ...args],
      env: {
        ...env,
        XDG_STATE_HOME: home,
        TIDINGS_PASSWORD: password ? ChatUser.PASSWORD : undefined,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // A line for a program that was killed goes nowhere.
    this.child.stdin!.on('error', () => undefined);
  }

  /** Starts it and waits until it takes lines. */
  static async start(options: CliOptions): Promise<CliProcess> {
    const cli = new CliProcess(options);
    await cli.shows(/^Hello /);
    return cli;
  }

  /** Registers a user and stays logged in. */
  static register(options: Omit<CliOptions, 'password'>): Promise<CliProcess> {
    const { user, args = [] } = options;
    const account = ['--register', '--name', user, '--email', `${user}@example.org`];
    return CliProcess.start({ ...options, password: true, args: [...account, ...args] });
  }

  /** Types lines. */
  type(...lines: string[]): void {
    this.child.stdin!.write(lines.map((line) => line + '\n').join(''));
  }

  /** Leaves as a person does; gives the exit status. */
  async quit(): Promise<number | null> {
    this.type('/quit');
    return this.ended;
  }
}
