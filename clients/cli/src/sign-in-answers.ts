import { TidingsError, type TidingsClient } from '@tidings/sdk';
import { answerProblem, RULES, type Answer } from './answer-rules';
import { Cancelled } from './cancelled';
import type { CliOptions } from './options';
import { safeLine } from './safe-text';
import type { Screen } from './screen';

/** Refusals that another answer cures, and which answers they are about. */
const ABOUT: Partial<Record<string, readonly Answer[]>> = {
  bad_credentials: ['username', 'password'],
  username_taken: ['username'],
  username_invalid: ['username'],
  email_taken: ['email'],
  weak_password: ['password'],
  invalid_request: ['username', 'password', 'firstName', 'email'],
};

/** Whether asking again helps. */
export function isCorrectable(error: unknown): error is TidingsError {
  return error instanceof TidingsError && ABOUT[error.code] !== undefined;
}

/** What the options say or the person at the keyboard answers; asked for once, again when it was wrong. */
export class Answers {
  private given: Partial<Record<Answer, string>>;
  /** Answers that were wrong: the question says so. */
  private readonly wrong = new Map<Answer, string>();
  private register: boolean | undefined;
  private saidRules = false;

  constructor(
    private readonly screen: Screen,
    options: CliOptions,
    private readonly lastUser?: string,
  ) {
    const { user: username, password, firstName, email } = options;
    this.given = { username, password, firstName, email };
    const decided = options.register || options.user !== undefined;
    this.register = decided ? options.register : undefined;
  }

  /** Whether an account is to be made first. */
  async registers(): Promise<boolean> {
    // Who has never been here has no account yet, most likely.
    const usual = this.lastUser === undefined ? 'n' : 'l';
    while (this.register === undefined) {
      const question = `Log in (l) or make a new account (n)? [${usual}]`;
      const answer = (await this.line(question)).trim().toLowerCase() || usual;
      if (['l', 'login', 'log in'].includes(answer)) this.register = false;
      else if (['n', 'new', 'register'].includes(answer)) this.register = true;
      else
        this.screen.print('Please answer with l or n; names and passwords are asked after that.');
    }
    return this.register;
  }

  /** Begins anew: everything is asked again. */
  restart(): void {
    this.given = {};
    this.wrong.clear();
    this.register = undefined;
    this.saidRules = false;
  }

  /** The account is there: what follows is a login. */
  registered(): void {
    this.register = false;
  }

  async username(): Promise<string> {
    if (this.register) this.sayRules();
    const before = this.wrong.get('username');
    // Who mistyped a password wants the same name again; a name that is taken, another one.
    const asked = this.register || !this.screen.interactive;
    const offered = asked ? undefined : (before ?? this.lastUser);
    const question = this.register && before !== undefined ? 'Another user name:' : 'User name:';
    return this.answer('username', question, offered);
  }

  async password(): Promise<string> {
    const again = this.wrong.has('password') && this.register;
    return (this.given.password ??= await this.secret(again ? 'Another password:' : 'Password:'));
  }

  firstName(fallback: string): Promise<string> {
    return this.answer('firstName', 'First name:', fallback);
  }

  email(fallback: string): Promise<string> {
    const question = this.wrong.has('email') ? 'Another e-mail address:' : 'E-mail:';
    return this.answer('email', question, this.wrong.has('email') ? undefined : fallback);
  }

  /** The server refuses: what it is about is asked for anew, the rest stays. */
  takeBack(error: TidingsError): void {
    const named = (error.errors ?? []).map(({ path }) => path.split('.').at(-1));
    const about = ABOUT[error.code]!.filter((one) => named.length === 0 || named.includes(one));
    for (const one of about.length > 0 ? about : ABOUT[error.code]!) {
      this.wrong.set(one, this.given[one] ?? '');
      this.given[one] = undefined;
    }
  }

  private async answer(which: Answer, question: string, offered?: string): Promise<string> {
    const given = this.given[which];
    if (given !== undefined) return given;
    // Scripts answer only what has no answer of its own.
    if (offered !== undefined && !this.screen.interactive) return (this.given[which] = offered);
    const hint = offered === undefined ? '' : ` [${safeLine(offered)}]`;
    for (;;) {
      const line = (await this.line(question + hint)).trim();
      const answer = line === '' ? offered : line;
      if (answer === undefined) continue;
      const problem = this.judge(which, answer);
      if (problem === null) return (this.given[which] = answer);
      this.screen.print(this.screen.style.bad(problem));
    }
  }

  private async secret(question: string): Promise<string> {
    for (;;) {
      const password = await answered(this.screen.askSecret(question));
      if (!this.register || !this.screen.interactive) return password;
      const problem = this.judge('password', password);
      if (problem !== null) {
        this.screen.print(this.screen.style.bad(problem));
        continue;
      }
      if ((await answered(this.screen.askSecret('Once more:'))) === password) return password;
      this.screen.print('These were two different ones.');
    }
  }

  /** What is wrong with an answer for a new account; the server judges those of scripts. */
  private judge(which: Answer, answer: string): string | null {
    if (!this.register || !this.screen.interactive) return null;
    return answerProblem(which, answer, this.given);
  }

  private sayRules(): void {
    if (this.saidRules || !this.screen.interactive) return;
    this.saidRules = true;
    this.screen.print(...RULES);
  }

  private line(question: string): Promise<string> {
    return answered(this.screen.ask(question));
  }
}

/**
 * Makes an account of what was answered.
 *
 * @throws TidingsError as the server refuses it
 */
export async function makeAccount(client: TidingsClient, answers: Answers): Promise<void> {
  const username = await answers.username();
  const password = await answers.password();
  const firstName = await answers.firstName(safeLine(username));
  const email = await answers.email(defaultEmail(username));
  await client.register({ username, password, firstName, email });
  answers.registered();
}

/** An address that leads nowhere (RFC 2606), for people who want to give none. */
function defaultEmail(username: string): string {
  const local = username.toLowerCase().replace(/[^a-z0-9_-]/g, '');
  return `${local === '' ? 'someone' : local}@tidings.invalid`;
}

async function answered(answer: Promise<string | null>): Promise<string> {
  const line = await answer;
  if (line === null) throw new Cancelled();
  return line;
}
