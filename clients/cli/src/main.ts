import { nodeClient, FileOutboxStore } from '@tidings/sdk/node';
import type { TidingsClient } from '@tidings/sdk';
import { Chat } from './chat';
import { Commands, completeCommand } from './commands';
import { Files } from './files';
import { friendly } from './friendly-errors';
import { readOptions, serverAddress, USAGE, type CliOptions } from './options';
import { People } from './people';
import { PipeScreen } from './pipe-screen';
import { stateFolder, takeProfile } from './profile';
import { safeLine } from './safe-text';
import type { Screen } from './screen';
import { Cancelled, signIn, type SignedIn } from './sign-in';
import { stackGateways } from './stack-gateways';
import { TerminalScreen } from './terminal-screen';

const DEFAULT_SERVER = 'http://127.0.0.1:8080';
/** How long to wait for the first sync before the chat begins without. */
const FIRST_SYNC_MS = 5_000;
/** How long unsent messages may take when the input has ended. */
const LAST_SENDS_MS = 15_000;
/** How long to listen yet for what the server remarks on the last messages. */
const REMARKS_MS = 300;
const INTERRUPTED = 130;

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

/** The person wants to leave, by Ctrl-C or a signal. */
const LEFT = Symbol('left');
type Left = Promise<typeof LEFT>;

function openScreen(onInterrupt: () => void): Screen {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY) return new PipeScreen(stdin, stdout);
  return new TerminalScreen(stdin, stdout, onInterrupt, completeCommand);
}

async function run(screen: Screen, options: CliOptions, left: Left): Promise<number> {
  const servers = await findServers(screen, options);
  // Nobody should type a password before it is clear that there is somebody to ask.
  await nodeClient({ servers }).api.serverInfo();
  const open = (username: string): SignedIn => {
    const host = [...servers].sort()[0]!;
    const profile = takeProfile(stateFolder(process.env), host, username);
    const outbox = new FileOutboxStore(profile.outboxPath);
    return { profile, client: nodeClient({ servers, outbox }) };
  };
  const signedIn = await Promise.race([signIn({ screen, options, open }), left]);
  if (signedIn === LEFT) return INTERRUPTED;
  const { client, profile } = signedIn;
  try {
    return await chat(screen, client, options, left);
  } finally {
    await client.stop();
    profile.release();
  }
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

async function chat(
  screen: Screen,
  client: TidingsClient,
  options: CliOptions,
  left: Left,
): Promise<number> {
  const people = new People(client);
  const files = new Files(client);
  const room = new Chat(client, screen, people, files);
  const commands = new Commands({ client, screen, people, files, chat: room });
  const ended = new Promise<string>((resolve) => {
    client.once('stopped', ({ reason }) => resolve(reason));
  });
  try {
    await client.start();
    const name = safeLine(client.session!.user.username);
    screen.print(`Hello ${name}. /help lists the commands.`);
    await Promise.race([client.whenSynced().catch(() => undefined), pause(FIRST_SYNC_MS), left]);
    room.begin();
    await commands.account.begin();
    await commands.handle(options.to === undefined ? '/contacts' : `/chat ${options.to}`);
    return await converse(screen, client, commands, left, ended);
  } finally {
    room.end();
  }
}

/** Takes line after line until the person or the server ends it. */
async function converse(
  screen: Screen,
  client: TidingsClient,
  commands: Commands,
  left: Left,
  ended: Promise<string>,
): Promise<number> {
  const stopped = ended.then((reason) => ({ reason }));
  for (;;) {
    const line = await Promise.race([screen.nextLine(), stopped, left]);
    if (line === LEFT) return INTERRUPTED;
    if (line === null) return await lastSends(screen, client);
    if (typeof line === 'object') {
      screen.print(screen.style.bad(`You are no longer connected: ${safeLine(line.reason)}.`));
      return 1;
    }
    if (!(await commands.handle(line))) return 0;
  }
}

/** At the end of the input: what was written shall go out first. */
async function lastSends(screen: Screen, client: TidingsClient): Promise<number> {
  const settled = Promise.all(client.unsent.map((outgoing) => outgoing.settled()));
  await Promise.race([settled, pause(LAST_SENDS_MS)]);
  const { length } = client.unsent;
  if (length === 0) {
    await pause(REMARKS_MS);
    return 0;
  }
  screen.print(`Not sent yet: ${length}. They are kept and sent the next time.`);
  return 1;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${friendly(error)}\n`);
    process.exit(1);
  },
);
