import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChatUser } from './chat-user';
import { TerminalProgram, type TerminalProgramOptions } from './terminal-program';

type SitOptions = Partial<Omit<TerminalProgramOptions, 'home'>>;

/** People at terminals: each with a home folder that remembers what it does on a person's machine. */
export class TerminalPeople {
  private readonly folder = mkdtempSync(join(tmpdir(), 'tidings-terminal-'));
  private readonly open = new Map<TerminalProgram, string>();
  private readonly users = new Map<string, ChatUser>();

  constructor(private readonly servers: readonly string[]) {}

  /** Makes accounts. */
  async join(...names: string[]): Promise<void> {
    for (const name of names) {
      this.users.set(name, await ChatUser.create([...this.servers], { name }));
    }
  }

  /** Somebody who joined, by the public interface: looks at what the servers have. */
  user(name: string): ChatUser {
    return this.users.get(name)!;
  }

  /** The home folder of a person, made when it is not there. */
  home(name: string): string {
    const home = join(this.folder, name);
    mkdirSync(home, { recursive: true });
    return home;
  }

  /** Opens a window for a program that is told nothing but what the arguments say. */
  window(name: string, options: SitOptions = {}): TerminalProgram {
    const program = new TerminalProgram({ ...options, home: this.home(name) });
    this.open.set(program, name);
    return program;
  }

  /** Somebody who joined sits down: logged in, with a chat if one is named. Waits until input is taken. */
  async sit(name: string, to?: string, options: SitOptions = {}): Promise<TerminalProgram> {
    const servers = this.servers.flatMap((server) => ['--server', server]);
    const chat = to === undefined ? [] : ['--to', to];
    const args = [...servers, '--user', name, ...chat];
    const program = this.window(name, { ...options, args });
    const prompt = `${to ?? 'tidings'}( \\(.*\\))?>`;
    await program.asks(new RegExp(`^(${prompt}|Password:)`));
    // This machine, or this one of several windows, is not logged in yet.
    if (program.input === 'Password:') program.enter(ChatUser.PASSWORD);
    await program.asks(new RegExp(`^${prompt}`));
    return program;
  }

  /** All windows that are open, as text: what is looked at when a test has failed. */
  get screens(): string {
    const all = [...this.open].map(([{ screen }, name]) => `${name}:\n${screen.trimEnd()}`);
    return all.join(`\n${'='.repeat(80)}\n`);
  }

  /** Runs a test; its failure shows every window. */
  async watched(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      (error as Error).message += `\n\n${this.screens}`;
      throw error;
    }
  }

  /** Ends all programs. */
  async leave(): Promise<void> {
    await Promise.all([...this.open.keys()].map((program) => program.kill()));
    this.open.clear();
  }

  /** Ends all programs and removes what they remembered. */
  async end(): Promise<void> {
    await this.leave();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
