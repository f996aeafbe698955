import type { TidingsClient } from '@tidings/sdk';
import { Chat } from './chat';
import { Commands } from './commands';
import { Files } from './files';
import { friendly } from './friendly-errors';
import { Keeper } from './keeper';
import { NamedServers } from './named-servers';
import type { CliOptions } from './options';
import { People } from './people';
import type { Profile } from './profile';
import { Rooms } from './rooms';
import { safeLine } from './safe-text';
import type { Screen } from './screen';
import type { SignedIn } from './sign-in';

/** How long to wait for the first sync before the chat begins without. */
const FIRST_SYNC_MS = 5_000;
/** How long unsent messages may take when the input has ended. */
const LAST_SENDS_MS = 15_000;
/** How long to listen yet for what the server remarks on the last messages. */
const REMARKS_MS = 300;
/** Exit status after Ctrl-C, as shells have it. */
export const INTERRUPTED = 130;

/** The person wants to leave, by Ctrl-C or a signal. */
export const LEFT = Symbol('left');
export type Left = Promise<typeof LEFT>;

/** The conversation with the person at the keyboard, from login to the end. Gives the exit status. */
export async function converse(
  screen: Screen,
  { client, profile }: SignedIn,
  options: CliOptions,
  left: Left,
): Promise<number> {
  const keeper = new Keeper(profile.known);
  const people = new People(client, keeper.changed);
  const rooms = new Rooms(client, people, keeper.changed);
  const servers = new NamedServers(client, options.servers, keeper.changed);
  const files = new Files(client);
  const parts = { client, screen, people, rooms, files };
  const chat = new Chat(parts);
  const logOut = async () => {
    keeper.forget();
    await endLogin(screen, client, profile);
  };
  const commands = new Commands({ ...parts, chat, logOut });
  const ended = new Promise<string>((resolve) => {
    client.once('stopped', ({ reason }) => resolve(reason));
  });
  try {
    people.learn(client.session!.user);
    await client.start();
    keeper.begin({ people, rooms, servers });
    const name = safeLine(client.session!.user.username);
    screen.print(`Hello ${name}. /help lists the commands.`);
    await Promise.race([firstSync(client), pause(FIRST_SYNC_MS), left, ended]);
    chat.begin();
    await commands.account.begin();
    await commands.begin(options.to);
    return await takeLines(screen, client, commands, left, ended);
  } finally {
    chat.end();
    keeper.end();
    await client.stop();
    profile.release();
  }
}

/** Settles when everything is there, or when there is nobody to ask. */
function firstSync(client: TidingsClient): Promise<void> {
  const offline = new Promise<void>((resolve) => {
    const remove = client.on('state', ({ state }) => {
      if (state !== 'offline') return;
      remove();
      resolve();
    });
  });
  return Promise.race([client.whenSynced().catch(() => undefined), offline]);
}

/** Takes line after line until the person or the server ends it. */
async function takeLines(
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

/** Ends the login, with or without the server, and removes what this machine remembers. */
async function endLogin(screen: Screen, client: TidingsClient, profile: Profile): Promise<void> {
  try {
    await client.logout();
  } catch (error) {
    screen.print(
      screen.style.bad(`The server was not told: ${friendly(error)}`),
      'Log this device out from another one (/devices) to be sure.',
    );
  }
  await client.stop();
  profile.forget();
  screen.print('You are logged out; nothing of you is kept on this machine.');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
