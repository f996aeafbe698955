import { endsLogin, NetworkError, type TidingsClient } from '@tidings/sdk';
import { Cancelled } from './cancelled';
import { friendly } from './friendly-errors';
import type { CliOptions } from './options';
import type { Profile } from './profile';
import type { Screen } from './screen';
import { Answers, isCorrectable, makeAccount } from './sign-in-answers';

/** Who sits there does not wait longer for the server to say that the login still counts, in milliseconds. */
const PATIENCE_MS = 1_500;

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
  const { options, screen } = deps;
  const remembered = await rememberedLogin(deps);
  if (remembered) return remembered;
  const answers = new Answers(screen, options, deps.lastUser);
  if (options.user === undefined && deps.lastUser === undefined) await reached(deps);
  if (!options.register) {
    const kept = await insisting(deps, answers, () => keptLogin(deps, answers));
    if (kept) return kept;
  }
  await reached(deps);
  return insisting(deps, answers, async () => {
    const registers = await answers.registers();
    const username = await answers.username();
    const signedIn = deps.open(username);
    let done = false;
    try {
      if (registers) await makeAccount(signedIn.client, answers);
      await logIn(signedIn, username, await answers.password());
      done = true;
      return signedIn;
    } finally {
      if (!done) signedIn.profile.release();
    }
  });
}

/** Does something until it is done or the person leaves: no answer of theirs ends the program. */
async function insisting<T>(
  { screen }: SignInDeps,
  answers: Answers,
  work: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!screen.interactive) throw error;
      if (error instanceof Cancelled) {
        // Esc begins anew; at the end of the input there is nobody to begin with.
        if (!(await goesAgain(screen, 'Enter begins anew, Ctrl-C leaves.'))) throw error;
        answers.restart();
        continue;
      }
      screen.print(screen.style.bad(friendly(error)));
      if (isCorrectable(error)) answers.takeBack(error);
      else if (!(await goesAgain(screen, 'Enter tries again, Ctrl-C leaves.'))) throw error;
    }
  }
}

/** @throws NetworkError when there is nobody to ask, and nobody to try again */
async function reached({ screen, reachable }: SignInDeps): Promise<void> {
  for (;;) {
    try {
      return await reachable();
    } catch (error) {
      if (!screen.interactive) throw error;
      screen.print(screen.style.bad(friendly(error)));
      if (!(await goesAgain(screen, 'Enter tries again, Ctrl-C leaves (--server names another).')))
        throw error;
    }
  }
}

async function goesAgain(screen: Screen, question: string): Promise<boolean> {
  return (await screen.ask(question)) !== null;
}

/** Who is logged in on this machine goes on without a question. */
async function rememberedLogin(deps: SignInDeps): Promise<SignedIn | null> {
  const { screen, options, lastUser } = deps;
  if (!screen.interactive || options.user !== undefined || options.register) return null;
  if (lastUser === undefined) return null;
  const signedIn = deps.open(lastUser);
  let kept = false;
  try {
    kept = await goesOn(deps, signedIn, lastUser);
  } finally {
    if (!kept) signedIn.profile.release();
  }
  if (kept) screen.print(`Still logged in. Somebody else: --user NAME at the start, or /logout.`);
  return kept ? signedIn : null;
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
  const login = profile.login.read();
  if (!login) return false;
  client.restore(login);
  try {
    // A password that was given is used, so that a changed one is found out.
    if (options.password === undefined) await stillCounts(client, screen.interactive);
    else await logIn({ client, profile }, username, options.password);
    return true;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error instanceof NetworkError || isForNow(error)) return true;
    if (isCorrectable(error)) return false;
    if (!endsLogin(error)) throw error;
    profile.login.remove();
    screen.print('Your login has ended. Please log in again.');
    return false;
  }
}

/** Whether the server cannot tell at the moment. */
function isForNow(error: Error): boolean {
  return (error as { retryable?: unknown }).retryable === true;
}

/** Asks whether the login counts. Who sits there goes on after a while: the connection finds out, too. */
async function stillCounts(client: TidingsClient, hurries: boolean): Promise<void> {
  const asked = client.api.me();
  if (!hurries) return void (await asked);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, PATIENCE_MS)));
  try {
    await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
    asked.catch(() => undefined);
  }
}
