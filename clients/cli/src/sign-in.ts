import { TidingsError, type TidingsClient } from '@tidings/sdk';
import { friendly } from './friendly-errors';
import type { CliOptions } from './options';
import type { Profile } from './profile';
import { safeLine } from './safe-text';
import type { Screen } from './screen';

/** The person ended the input instead of answering. */
export class Cancelled extends Error {}

/** How often a wrong answer may be given. */
const MAX_TRIES = 5;

const CORRECTABLE = new Set<string>([
  'bad_credentials',
  'username_taken',
  'email_taken',
  'username_invalid',
  'weak_password',
  'invalid_request',
]);

/** What is needed to sign in. */
export interface SignInDeps {
  screen: Screen;
  options: CliOptions;
  /** Takes the profile of a user and makes the client for it. */
  open(username: string): { client: TidingsClient; profile: Profile };
}

/** A client that is logged in. */
export interface SignedIn {
  client: TidingsClient;
  profile: Profile;
}

/**
 * Logs in or registers, asking for what the options do not say, and again for what was wrong.
 *
 * @throws Cancelled when the input ends
 * @throws Error when it cannot be done
 */
export async function signIn(deps: SignInDeps): Promise<SignedIn> {
  const { screen, options } = deps;
  let given: CliOptions = options;
  let register = options.register || (options.user === undefined && (await wantsAccount(screen)));
  for (let tries = 1; ; tries++) {
    const username = given.user ?? (await answered(screen.ask('User name:')));
    const { client, profile } = deps.open(username);
    try {
      const password = given.password ?? (await newPassword(screen, register));
      if (register) await makeAccount(deps, client, given, username, password);
      register = false;
      await client.login({
        username,
        password,
        device: { id: profile.deviceId, name: 'Terminal' },
      });
      return { client, profile };
    } catch (error) {
      profile.release();
      const mayCorrect = screen.interactive && isCorrectable(error) && tries < MAX_TRIES;
      if (!mayCorrect) throw error;
      screen.print(screen.style.bad(friendly(error)));
      given = { ...given, password: undefined, email: undefined };
      if ((error as TidingsError).code !== 'weak_password') given.user = undefined;
    }
  }
}

function isCorrectable(error: unknown): boolean {
  return error instanceof TidingsError && CORRECTABLE.has(error.code);
}

async function wantsAccount(screen: Screen): Promise<boolean> {
  for (;;) {
    const answer = await answered(screen.ask('Log in (l) or make a new account (n)? [l]'));
    const letter = answer.trim().toLowerCase();
    if (letter === '' || letter.startsWith('l')) return false;
    if (letter.startsWith('n')) return true;
  }
}

async function newPassword(screen: Screen, twice: boolean): Promise<string> {
  for (;;) {
    const password = await answered(screen.askSecret('Password:'));
    if (!twice || !screen.interactive) return password;
    if ((await answered(screen.askSecret('Once more:'))) === password) return password;
    screen.print('These were two different ones.');
  }
}

async function makeAccount(
  { screen }: SignInDeps,
  client: TidingsClient,
  given: CliOptions,
  username: string,
  password: string,
): Promise<void> {
  const ask = async (question: string, fallback: string): Promise<string> => {
    if (!screen.interactive) return fallback;
    const answer = (await answered(screen.ask(`${question} [${fallback}]`))).trim();
    return answer === '' ? fallback : answer;
  };
  const firstName = given.firstName ?? (await ask('First name:', safeLine(username)));
  const email = given.email ?? (await ask('E-mail:', defaultEmail(username)));
  await client.register({ username, password, firstName, email });
}

/** An address that leads nowhere (RFC 2606), for people who want to give none. */
function defaultEmail(username: string): string {
  const local = username.toLowerCase().replace(/[^a-z0-9_-]/g, '');
  return `${local === '' ? 'someone' : local}@tidings.invalid`;
}

async function answered(answer: Promise<string | null>): Promise<string> {
  const line = await answer;
  if (line === null) throw new Cancelled('The input ended');
  return line;
}
