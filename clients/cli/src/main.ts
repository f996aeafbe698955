import type { SaveSession } from '@tidings/sdk';
import { nodeClient, FileOutboxStore } from '@tidings/sdk/node';
import { Cancelled } from './cancelled';
import { converse, INTERRUPTED, LEFT, type Left } from './conversation';
import { friendly } from './friendly-errors';
import { completeCommand } from './help';
import { httpAddresses } from './named-servers';
import { readOptions, serverAddress, USAGE, type CliOptions } from './options';
import { PipeScreen } from './pipe-screen';
import { lastUser, noteLastUser, stateFolder, takeProfile, type Profile } from './profile';
import type { Screen } from './screen';
import { signIn, type SignedIn } from './sign-in';
import { stackGateways } from './stack-gateways';
import { TerminalScreen } from './terminal-screen';

const DEFAULT_SERVER = 'http://127.0.0.1:8080';

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
  const leave = new AbortController();
  const screen = openScreen(() => leave.abort());
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => leave.abort());
  }
  const left = new Promise<typeof LEFT>((resolve) => {
    leave.signal.addEventListener('abort', () => resolve(LEFT), { once: true });
  });
  try {
    return await run(screen, options, left);
  } catch (error) {
    if (error instanceof Cancelled) return 1;
    screen.print(screen.style.bad(friendly(error)));
    return 1;
  } finally {
    screen.close();
  }
}

function openScreen(onInterrupt: () => void): Screen {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY) return new PipeScreen(stdin, stdout);
  return new TerminalScreen(stdin, stdout, onInterrupt, completeCommand);
}

async function run(screen: Screen, options: CliOptions, left: Left): Promise<number> {
  const servers = await findServers(screen, options);
  const folder = stateFolder(process.env);
  const host = [...servers].sort()[0]!;
  const open = (username: string): SignedIn => {
    const profile = takeProfile(folder, host, username);
    const outbox = new FileOutboxStore(profile.outboxPath);
    const saveSession = sessionSaver(profile, screen);
    const client = nodeClient({ servers, outbox, saveSession });
    client.addServers(httpAddresses(profile.known.read()?.servers ?? [], servers));
    return { profile, client };
  };
  const reachable = async (): Promise<void> => {
    await nodeClient({ servers }).api.serverInfo();
  };
  const deps = { screen, options, lastUser: lastUser(folder, host), open, reachable };
  const signedIn = await Promise.race([signIn(deps), left]);
  if (signedIn === LEFT) return INTERRUPTED;
  noteLastUser(folder, host, signedIn.client.session!.user.username);
  return await converse(screen, signedIn, { ...options, servers }, left);
}

/** Keeps the login. Without it one has to log in again the next time; that is all. */
function sessionSaver(profile: Profile, screen: Screen): SaveSession {
  return (session) => {
    try {
      if (session) profile.session.write(session);
      else profile.session.remove();
    } catch (error) {
      screen.print(`The login cannot be kept on this machine: ${friendly(error)}`);
    }
  };
}

async function findServers(screen: Screen, options: CliOptions): Promise<string[]> {
  if (options.servers.length > 0) return options.servers;
  const gateways = stackGateways();
  if (gateways.length > 0) return gateways;
  if (!screen.interactive || options.user !== undefined) return [DEFAULT_SERVER];
  const answer = await screen.ask(`Server? [${DEFAULT_SERVER}]`);
  if (answer === null) throw new Cancelled();
  return [answer.trim() === '' ? DEFAULT_SERVER : serverAddress(answer.trim())];
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${friendly(error)}\n`);
    process.exit(1);
  },
);
