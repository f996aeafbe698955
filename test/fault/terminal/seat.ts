import type { Message } from '@tidings/protocol/content';
import type { Answer, ChatUser } from '../../support/chat-user';
import { eventually } from '../../support/eventually';
import type { TerminalPeople } from '../../support/terminal-people';
import { TerminalProgram } from '../../support/terminal-program';

/** How long a window may take until it has said what became of something, milliseconds. */
const PATIENCE_MS = 60_000;
/** There are many windows: none is looked at more often than this, milliseconds. */
const LOOK_EVERY_MS = 200;
const CLEAR_LINE = '\u0015';
const COLUMNS = 110;
/** `/help` is long, and what it was asked behind is to be seen, too. */
const ROWS = 60;

/** Words by which a person is told that a command was not, or perhaps not, done. */
const REFUSED =
  /Cannot reach http\S+ Is the server running|The answer broke off|The server (?:is busy|cannot do that right now)|Something went wrong on the server|no answer; it may be carried out yet|offline — ask again later/;
/** What programs say to one another. */
const NOT_FOR_PEOPLE = /[a-z]_[a-z]|\w*Error\b|[{}]|undefined/;

/** One death of one process. */
export interface Round {
  number: number;
  /** Every text of the round begins with it. */
  tag: string;
}

/** A command as it is tried: by a person and in a window of its own, once in each round. */
export interface Trial {
  /** As in `/help`. */
  command: string;
  /** The chat is a group of this person, with bob; else it is the one with bob. */
  group?: true;
  /** The window is opened anew for each round. */
  fresh?: true;
  rows?: number;
  /** Kept like messages: an outage is no reason not to do it. */
  kept?: true;
  /** Nothing is typed behind it. */
  last?: true;
  /** Nobody may write to the chat any more. */
  leaves?: true;
  /** The program ends by it. */
  ends?: true;
  /** Once, before everything. */
  begin?(seat: Seat): Promise<void>;
  /** Before each round. */
  prepare?(seat: Seat, round: Round): Promise<void>;
  /** Types it, and the answers to its questions. */
  type(seat: Seat, round: Round): Promise<void> | void;
  /** What the window shows behind it when it is done. */
  done(round: Round): RegExp;
  /** It says nothing when it is done, so `done` may be seen before the words that it was not. */
  silent?: true;
  /** Looks closer; rejects when it is not as the window says. */
  inEffect?(seat: Seat, round: Round): Promise<void>;
  /** Texts of the round that are in the chat afterwards. */
  texts?: readonly string[];
  /** The chat that it opens: the text behind the command goes there. */
  opens?(seat: Seat, round: Round): Promise<string>;
}

/** What became of a command: its effect is seen, or these are the words. */
export type Outcome = 'done' | string;

/** Who else there is. */
export interface Others {
  bob: ChatUser;
  cat: ChatUser;
  /** bob's window, in which the chat with who sends most is open. */
  bobsWindow: () => TerminalProgram;
}

/** One person at one window, who tries one command again and again. */
export class Seat {
  window!: TerminalProgram;
  /** Of the chat that it types into. */
  conversationId = '';
  password: string;
  /** Number of another device in the last list. */
  device = 0;

  constructor(
    readonly trial: Trial,
    readonly user: ChatUser,
    private readonly people: TerminalPeople,
    private readonly others: Others,
    /** As the window opens it: a person, or the title of a group. */
    private readonly chat: string,
    password: string,
  ) {
    this.password = password;
  }

  get home(): string {
    return this.people.home(this.user.username);
  }

  /** Sits down, and opens the chat. */
  async begin(): Promise<void> {
    await this.sit();
    await this.trial.begin?.(this);
  }

  private async sit(): Promise<void> {
    const { rows = ROWS } = this.trial;
    await this.window?.kill();
    this.window = await this.people.sit(this.user.username, undefined, { columns: COLUMNS, rows });
    // a group is found by its title only among the chats that are listed
    await this.shown(new RegExp(`^ +\\d+ {2}${this.chat}( |$)`, 'm'));
    await this.opens();
  }

  private async opens(): Promise<void> {
    this.window.enter(`/chat ${this.chat}`);
    await this.asked(new RegExp(`^${this.chat}( \\(.*\\))?>`));
  }

  /** All is well, and what was said before is off the window. */
  async prepare(round: Round): Promise<void> {
    const { trial, window } = this;
    if (trial.fresh) await this.sit();
    else {
      window.type(CLEAR_LINE);
      if (trial.opens) await this.opens();
    }
    await trial.prepare?.(this, round);
    this.window.enter('/clear');
    this.window.enter(`${round.tag} begins`);
    await this.shown(new RegExp(`[✓✔]+ {2}${round.tag} begins$`, 'm'));
  }

  /** A message, the command, and one more message. */
  async types(round: Round): Promise<void> {
    this.window.enter(`${round.tag} one`);
    await this.trial.type(this, round);
    if (!this.trial.last) this.window.enter(`${round.tag} two`);
  }

  /** The process is back: gives what became of the command; rejects with the window when something is wrong. */
  async judged(round: Round): Promise<Outcome> {
    try {
      const outcome = await this.outcome(round);
      expect(this.said(round)).not.toMatch(NOT_FOR_PEOPLE);
      if (this.trial.ends) await this.comesBack();
      await this.arrived(round, outcome);
      expect(this.said(round)).not.toMatch(NOT_FOR_PEOPLE);
      return outcome === 'done' ? await this.looked(round) : outcome;
    } catch (error) {
      const { message } = error as Error;
      const { command } = this.trial;
      throw new Error(`${command}, ${round.tag}: ${message}\n${this.window.screen.trimEnd()}`);
    }
  }

  /** Looks at what is said to be done. */
  private async looked(round: Round): Promise<Outcome> {
    const { silent, inEffect } = this.trial;
    try {
      await eventually(() => inEffect?.(this, round), PATIENCE_MS, LOOK_EVERY_MS);
      return 'done';
    } catch (error) {
      const refused = silent ? REFUSED.exec(this.said(round)) : null;
      if (refused) return refused[0];
      throw error;
    }
  }

  private outcome(round: Round): Promise<Outcome> {
    const { kept, done } = this.trial;
    return this.until(() => {
      const said = this.said(round);
      if (done(round).test(said)) return 'done';
      const refused = kept ? null : REFUSED.exec(said);
      if (refused) return refused[0];
      throw new Error('no word about it');
    });
  }

  /** Every message of the round is in the history, once, in order. */
  private async arrived(round: Round, outcome: Outcome): Promise<void> {
    const { opens, texts = ['begins', 'one', 'two'] } = this.trial;
    const before = texts.filter((text) => text !== 'two');
    const goesOn = opens !== undefined && (outcome === 'done' || (await this.gaveBack(round)));
    await this.holds(this.conversationId, this.others.bob, {
      round,
      texts: goesOn ? before : texts,
    });
    if (opens === undefined || outcome !== 'done') return;
    const id = await this.until(() => opens(this, round));
    await this.holds(id, this.user, { round, texts: ['two'] });
  }

  /**
   * Whether the text behind a command that opened no chat is given back, or waits for another Enter: nobody
   * knows to whom it was written. If not, it was entered in spite of that, and is in the chat that is still open.
   */
  private async gaveBack({ tag }: Round): Promise<boolean> {
    const back = new RegExp(
      `not sent, no chat was opened: ${tag} two$|opened nothing: Enter sends`,
      'm',
    );
    const sent = new RegExp(`you [✓✔]+ {2}${tag} two$`, 'm');
    await this.shown(new RegExp(`${back.source}|${sent.source}`, 'm'));
    if (!back.test(this.window.screen)) return false;
    await this.asked(new RegExp(`> ${tag} two$`));
    return true;
  }

  private holds(
    conversationId: string,
    reader: ChatUser,
    { round: { tag }, texts }: { round: Round; texts: readonly string[] },
  ): Promise<void> {
    return this.until(async () => {
      const all = await this.newest(conversationId, reader);
      const found = all.flatMap(({ content }) =>
        content.kind === 'text' && content.text.startsWith(`${tag} `) ? [content.text] : [],
      );
      // what was on its way when its writer left the group is refused, and stands in the line of input
      const back = this.trial.leaves && this.window.input.endsWith(`> ${tag} one`);
      const due = back ? texts.filter((text) => text !== 'one') : texts;
      expect(found).toEqual(due.map((text) => `${tag} ${text}`));
    });
  }

  private async newest(conversationId: string, reader: ChatUser): Promise<Message[]> {
    const path = `/v1/conversations/${conversationId}/messages?limit=50`;
    const { status, body } = await this.asks<{ items: Message[]; delayed?: boolean }>(
      reader,
      'GET',
      path,
    );
    if (status !== 200 || body.delayed) throw new Error(`no history: ${status}`);
    return body.items;
  }

  /** What stands in the window behind the round's first message, and the prompt. */
  private said({ tag }: Round): string {
    const { window } = this.window;
    const begins = new RegExp(`^[\\d:]+ +you [✓✔]+ {2}${tag} begins$`);
    const row = window.findLastIndex((line) => begins.test(line));
    return window.slice(row + 1).join('\n');
  }

  private until<T>(check: () => T | Promise<T>): Promise<T> {
    return eventually(check, PATIENCE_MS, LOOK_EVERY_MS);
  }

  /** Waits for something in the window. */
  shown(what: RegExp | string): Promise<void> {
    return this.until(() => expect(this.window.screen).toMatch(what));
  }

  /** Waits for a question or a prompt. */
  asked(what: RegExp | string): Promise<void> {
    return this.until(() => expect(this.window.input).toMatch(what));
  }

  /** Notes the number of another device, of those that are listed. */
  noteDevice(): void {
    const rows = this.window.window.filter((row) => /^ +\d+ {2}.* · since/.test(row));
    this.device = Number(/\d+/.exec(rows.findLast((row) => !row.includes(' · this one'))!)![0]);
  }

  /** The program has ended, unless it says why not, and is started again: what waited goes out. */
  private async comesBack(): Promise<void> {
    if (/\/logout anyway/.test(this.window.screen)) return;
    expect(await this.window.ended).toBe(0);
    await this.sit();
  }

  /** bob's window has the messages of a round, each once and in order. */
  seenByBob(tag: string): Promise<void> {
    const rows = (): string[] =>
      this.others
        .bobsWindow()
        .window.flatMap((row) => new RegExp(` {2}${tag} (.*)$`).exec(row)?.[1] ?? []);
    return this.until(() => expect(rows()).toEqual([...this.trial.texts!]));
  }

  /** The chat has one message of a kind behind the round's first. */
  async hasOne(kind: Message['content']['kind'], tag: string): Promise<void> {
    const all = await this.newest(this.conversationId, this.others.bob);
    const begin = all.findIndex(
      ({ content }) => content.kind === 'text' && content.text === `${tag} begins`,
    );
    const kinds = all.slice(begin).map(({ content }) => content.kind);
    expect(kinds.filter((one) => one === kind)).toEqual([kind]);
  }

  id(name: 'bob' | 'cat'): string {
    return this.others[name].id;
  }

  async directWith(name: 'bob' | 'cat'): Promise<string> {
    const body = { kind: 'direct', userIds: [this.id(name)] };
    return (await this.calls<{ id: string }>('POST', '/v1/conversations', body)).id;
  }

  /** Ids of this person's groups of a title. */
  async groupsCalled(title: string): Promise<string[]> {
    const { items } = await this.reads<{ items: { id: string; title?: string }[] }>(
      '/v1/conversations?limit=100',
    );
    return items.filter((one) => one.title === title).map(({ id }) => id);
  }

  /** The id of the group of a title, of which there is one. */
  theOnly(title: string): Promise<string> {
    return this.until(async () => {
      const ids = await this.groupsCalled(title);
      expect(ids).toHaveLength(1);
      return ids[0]!;
    });
  }

  reads<T>(path: string): Promise<T> {
    return this.calls<T>('GET', path);
  }

  /** A call of the public interface as this person, from elsewhere. */
  async calls<T = void>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.asks<T>(this.user, method, path, body);
    if (answer.status >= 300) {
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    return answer.body;
  }

  /** A call as somebody. A token ends before all rounds are over: then they log in again. */
  private async asks<T>(
    user: ChatUser,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Answer<T>> {
    const answer = await user.http<T>(method, path, body);
    if (answer.status !== 401) return answer;
    await loggedInAgain(user, user === this.user ? this.password : undefined);
    return user.http<T>(method, path, body);
  }
}

/** Logins under way: each ends the token of the one before, and everybody looks with bob's eyes. */
const logins = new Map<ChatUser, Promise<void>>();

function loggedInAgain(user: ChatUser, password: string | undefined): Promise<void> {
  let login = logins.get(user);
  if (!login) {
    login = user.login(password).finally(() => logins.delete(user));
    logins.set(user, login);
  }
  return login;
}
