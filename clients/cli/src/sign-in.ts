import { endsSession, NetworkError, type TidingsClient } from '@tidings/sdk';
import { friendly } from './friendly-errors';
import type { CliOptions } from './options';
import type { Profile } from './profile';
import type { Screen } from './screen';
import { Answers, isCorrectable, makeAccount } from './sign-in-answers';

/** How often a wrong answer may be given. */
const MAX_TRIES = 5;

/** What is needed to sign in. */
export interface SignInDeps {
  screen: Screen;
  options: CliOptions;
  /** Who was here last; undefined: nobody, or it is not known. */
  lastUser?: string;
  /** Takes the profile of a user and makes the client for it. */
  open(username: string): SignedIn;
  /** @throws NetworkError when there is nobody to ask: no password shall be typed for nothing */
  reachable(): Promise<void>;
}

/** A client that is logged in. */
export interface SignedIn {
  client: TidingsClient;
  profile: Profile;
}

/**
 * Goes on with the login that this machine keeps, also while the server is away; else logs in or
 * registers, asking for what the options do not say, and again for what was wrong.
 *
 * @throws Cancelled when the input ends
 * @throws Error when it cannot be done
 */
export async function signIn(deps: SignInDeps): Promise<SignedIn> {
  const { options } = deps;
  const answers = new Answers(deps.screen, options, deps.lastUser);
  if (options.user === undefined && deps.lastUser === undefined) await deps.reachable();
  if (!options.register) {
    const kept = await keptLogin(deps, answers);
    if (kept) return kept;
  }
  await deps.reachable();
  for (let tries = 1; ; tries++) {
    const username = await answers.username();
    const signedIn = deps.open(username);
    try {
      if (await answers.registers()) await makeAccount(signedIn.client, answers);
      await logIn(signedIn, username, await answers.password());
      return signedIn;
    } catch (error) {
      signedIn.profile.release();
      if (!deps.screen.interactive || !isCorrectable(error) || tries >= MAX_TRIES) throw error;
      deps.screen.print(deps.screen.style.bad(friendly(error)));
      answers.takeBack(error);
    }
  }
}

async function logIn({ client, profile }: SignedIn, username: string, password: string) {
  await client.login({ username, password, device: { id: profile.deviceId, name: 'Terminal' } });
}

/** The kept login of the user that is asked for, if there is one and it still counts. */
async function keptLogin(deps: SignInDeps, answers: Answers): Promise<SignedIn | null> {
  if (await answers.registers()) return null;
  const username = await answers.username();
  const signedIn = deps.open(username);
  let kept = false;
  try {
    kept = await goesOn(deps, signedIn, username);
  } finally {
    if (!kept) signedIn.profile.release();
  }
  return kept ? signedIn : null;
}

async function goesOn(
  { options, screen }: SignInDeps,
  { client, profile }: SignedIn,
  username: string,
): Promise<boolean> {
  const session = profile.session.read();
  if (!session) return false;
  client.restore(session);
  try {
    // A password that was given is used, so that a changed one is found out.
    if (options.password === undefined) await client.api.me();
    else await logIn({ client, profile }, username, options.password);
    return true;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error instanceof NetworkError || isForNow(error)) return true;
    if (isCorrectable(error)) return false;
    if (!endsSession(error)) throw error;
    profile.session.remove();
    screen.print('Your login has ended. Please log in again.');
    return false;
  }
}

/** Whether the server cannot tell at the moment. */
function isForNow(error: Error): boolean {
  return (error as { retryable?: unknown }).retryable === true;
}
