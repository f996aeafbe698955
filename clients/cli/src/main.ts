import type { SaveLogin } from '@tidings/sdk';
import { nodeClient, FileOutboxStore } from '@tidings/sdk/node';
import { Cancelled } from './cancelled';
import { converse, type Leaving, type Left } from './conversation';
import { friendly } from './friendly-errors';
import { httpAddresses } from './named-servers';
import { readOptions, serverAddress, USAGE, type CliOptions } from './options';
import { PipeScreen } from './pipe-screen';
import {
  isLoggedIn,
  keptServers,
  lastUser,
  noteLastUser,
  noteServers,
  stateFolder,
  takeProfile,
  type Profile,
} from './profile';
import type { Screen } from './screen';
import { signIn, type SignedIn } from './sign-in';
import { stackGateways } from './stack-gateways';
import { TerminalScreen } from './terminal-screen';

const DEFAULT_SERVER = 'http://127.0.0.1:8080';
/** Whatever is still under way when the person wants to leave is cut off after this, in milliseconds. */
const LEAVE_MS = 800;
/** Exit statuses after a signal, as shells have them. */
const STATUS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

async function main(): Promise<number> {
  let options: CliOptions;
  try {
    options = readOptions(process.argv.slice(2), process.env);
  } catch (error) {
    process.stderr.write(`${friendly(error)}\n\n${USAGE}\n`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  let leave: (leaving: Leaving) => void = () => undefined;
  const left: Left = new Promise((resolve) => (leave = resolve));
  let asked = false;
  const goes = (status: number): void => {
    leave({ status });
    const end = (): void => {
      screen.close();
      process.exit(status);
    };
    // Whoever asks twice does not wait for anything.
    if (asked) end();
    asked = true;
    setTimeout(end, LEAVE_MS).unref();
  };
  const screen = openScreen(() => goes(STATUS.SIGINT));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => goes(STATUS[signal]));
  }
  try {
    return await run(screen, options, left);
  } catch (error) {
    if (error instanceof Cancelled) return 1;
    screen.farewell(screen.style.bad(friendly(error)));
    return 1;
  } finally {
    screen.close();
  }
}

function openScreen(onInterrupt: () => void): Screen {
  const { stdin, stdout, env } = process;
  if (!stdin.isTTY || !stdout.isTTY || env['TERM'] === 'dumb') return new PipeScreen(stdin, stdout);
  return new TerminalScreen(stdin, stdout, onInterrupt);
}

async function run(screen: Screen, options: CliOptions, left: Left): Promise<number> {
  const folder = stateFolder(process.env);
  const found = await Promise.race([findServers(screen, options, folder), left]);
  if (!Array.isArray(found)) return found.status;
  const servers = found;
  const host = [...servers].sort()[0]!;
  const open = (username: string): SignedIn => {
    const profile = takeProfile(folder, host, username);
    const outbox = new FileOutboxStore(profile.outboxPath);
    const saveLogin = loginSaver(profile, screen);
    const client = nodeClient({ servers, outbox, saveLogin });
    client.addServers(httpAddresses(profile.known.read()?.servers ?? [], servers));
    return { profile, client };
  };
  const reachable = async (): Promise<void> => {
    await nodeClient({ servers }).api.serverInfo();
  };
  const deps = { screen, options, lastUser: lastUser(folder, host), open, reachable };
  const signedIn = await Promise.race([signIn(deps), left]);
  if ('status' in signedIn) return signedIn.status;
  noteLastUser(folder, host, signedIn.client.currentLogin!.user.username);
  noteServers(folder, servers);
  return await converse(screen, signedIn, { ...options, servers }, left);
}

/** Keeps the login. Without it one has to log in again the next time; that is all. */
function loginSaver(profile: Profile, screen: Screen): SaveLogin {
  return (login) => {
    try {
      if (login) profile.login.write(login);
      else profile.login.remove();
    } catch (error) {
      screen.print(`The login cannot be kept on this machine: ${friendly(error)}`);
    }
  };
}

async function findServers(screen: Screen, options: CliOptions, folder: string): Promise<string[]> {
  if (options.servers.length > 0) return options.servers;
  const gateways = stackGateways();
  if (gateways.length > 0) return gateways;
  const known = keptServers(folder);
  if (!screen.interactive || options.user !== undefined) {
    return known.length > 0 ? known : [DEFAULT_SERVER];
  }
  // Who is logged in there goes on.
  const usual = known[0];
  if (usual !== undefined && isLoggedIn(folder, [...known].sort()[0]!)) return known;
  for (;;) {
    const answer = await screen.ask(`Server? [${usual ?? DEFAULT_SERVER}]`);
    if (answer === null) throw new Cancelled();
    if (answer.trim() === '') return known.length > 0 ? known : [DEFAULT_SERVER];
    try {
      return [serverAddress(answer.trim())];
    } catch (error) {
      screen.print(screen.style.bad(friendly(error)));
    }
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${friendly(error)}\n`);
    process.exit(1);
  },
);
