import { setTimeout as pause } from 'node:timers/promises';
import type { StopReason, TidingsClient } from '@tidings/sdk';
import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import { Attention } from './attention';
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
import { isTerminal, type Screen } from './screen';
import type { SignedIn } from './sign-in';
import { Tasks } from './tasks';

/** How long to wait for the first sync before the chat begins without, in a pipe. */
const FIRST_SYNC_MS = 5_000;
/** How long unsent messages may take when the input of a script has ended. */
const LAST_SENDS_MS = 15_000;
/** How long `/quit` waits for what was typed: with a connection, and without one. */
const QUIT_MS = { online: 5_000, offline: 300 };
/** How long Ctrl-D at a terminal waits for it. */
const END_MS = 700;
/** How long to listen yet for what the server remarks on the last messages. */
const REMARKS_MS = 300;
/** Exit status of a script whose messages did not all have a chat to go to. */
const ASTRAY = 1;
/** Commands that are kept like messages once they have been asked for. */
const KEPT = /^\/(edit|delete)\b/;
/** How long what is written to the disk at the end may take. */
const STOP_MS = 500;

const DISABLED = CLOSE_CODES.accountDisabled;

/** The person wants to leave now, by Ctrl-C or a signal; with the exit status for it. */
export interface Leaving {
  status: number;
}
export type Left = Promise<Leaving>;

/** Why the person, the input or the server ends it. */
type End =
  | { why: 'quit' | 'gone' | 'input' }
  | { why: 'left'; status: number }
  | ({ why: 'stopped' } & StopReason);

/** The conversation with the person at the keyboard, from login to the end. Gives the exit status. */
export async function converse(
  screen: Screen,
  { client, profile }: SignedIn,
  options: CliOptions,
  left: Left,
): Promise<number> {
  const redraw = (): void => {
    if (isTerminal(screen)) screen.changed();
  };
  const keeper = new Keeper(profile.known);
  const people = new People(client, keeper.changed);
  const rooms = new Rooms(client, people, keeper.changed);
  const servers = new NamedServers(client, options.servers, keeper.changed);
  const files = new Files(client, redraw);
  const parts = { client, screen, people, rooms, files };
  let leaving = false;
  const tasks = new Tasks({
    changed: redraw,
    failed: (error) => screen.print(screen.style.bad(friendly(error))),
    note: (text) => screen.print(screen.style.dim(`  ${text}`)),
    asking: () => isTerminal(screen) && screen.asking,
  });
  const chat: Chat = new Chat(parts, (): string[] => [
    ...(leaving ? ['leaving when all is sent; Ctrl-C leaves now, nothing is lost'] : []),
    ...files.progress(),
    ...waitingText(commands),
    ...tasks.named(),
  ]);
  const attention = isTerminal(screen) ? new Attention(client, screen) : null;
  let loggingOut = false;
  const logOut = async () => {
    loggingOut = true;
    keeper.forget();
    await endLogin(screen, client, profile);
  };
  const commands: Commands = new Commands({ ...parts, chat, tasks, logOut });
  const ended = new Promise<End>((resolve) => {
    // A logout stops the client, too, and has something to say itself.
    client.once('stopped', (reason) => {
      if (!loggingOut) resolve({ why: 'stopped', ...reason });
    });
  });
  const gone = left.then(({ status }): End => ({ why: 'left', status }));
  try {
    people.learn(client.currentLogin!.user);
    await client.start();
    keeper.begin({ people, rooms, servers });
    const name = safeLine(client.currentLogin!.user.username);
    screen.print(`Hello ${name}. /help lists the commands.`);
    if (screen.interactive) {
      chat.begin();
      void commands.account.begin();
      void commands.begin(options.to);
    } else {
      await Promise.race([firstSync(client), pause(FIRST_SYNC_MS), gone, ended]);
      chat.begin();
      await Promise.race([commands.account.begin(), gone]);
      await Promise.race([commands.begin(options.to), gone]);
    }
    const end = await takeLines(screen, commands, [gone, ended]);
    leaving = true;
    redraw();
    const status = await leave(end, { screen, client, tasks, gone });
    return status === 0 && commands.astray ? ASTRAY : status;
  } finally {
    tellUnsent(screen, client, [...tasks.unfinished(), ...commands.waiting]);
    attention?.end();
    tasks.end();
    chat.end();
    keeper.end();
    await Promise.race([client.stop(), pause(STOP_MS)]);
    profile.release();
  }
}

function waitingText(commands: Commands): string[] {
  const { length } = commands.waiting;
  return length === 0 ? [] : [`${length} to be sent when the chat is open`];
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

/** Takes line after line until somebody ends it. Nothing that a line begins keeps it from that. */
async function takeLines(screen: Screen, commands: Commands, others: Promise<End>[]): Promise<End> {
  for (;;) {
    const line = await Promise.race([screen.nextLine(), ...others]);
    if (line === null) return { why: 'input' };
    if ('why' in line) return line;
    const stays = await Promise.race([commands.handle(line), ...others]);
    if (typeof stays === 'object') return stays;
    if (stays !== 'stays') return { why: stays };
  }
}

/** What is due when the conversation ends; gives the exit status. */
async function leave(
  end: End,
  {
    screen,
    client,
    tasks,
    gone,
  }: { screen: Screen; client: TidingsClient; tasks: Tasks; gone: Promise<End> },
): Promise<number> {
  switch (end.why) {
    case 'left':
      return end.status;
    case 'gone':
      return 0;
    case 'stopped':
      screen.farewell(
        screen.style.bad(`You are no longer connected: ${safeLine(end.reason)}.`),
        ...(end.code === DISABLED ? [] : ['Start again to log in again.']),
      );
      return 1;
    case 'quit': {
      const ms = client.state === 'online' ? QUIT_MS.online : QUIT_MS.offline;
      const cut = await lastSends(client, tasks, ms, gone);
      return cut?.why === 'left' ? cut.status : 0;
    }
    case 'input': {
      const cut = await lastSends(client, tasks, screen.interactive ? END_MS : LAST_SENDS_MS, gone);
      if (cut?.why === 'left') return cut.status;
      if (client.unsent.length > 0) return screen.interactive ? 0 : 1;
      if (!screen.interactive) await pause(REMARKS_MS);
      return 0;
    }
  }
}

/** What was typed shall be done first; as long as that may take. */
async function lastSends(
  client: TidingsClient,
  tasks: Tasks,
  ms: number,
  gone: Promise<End>,
): Promise<End | null> {
  const deadline = performance.now() + ms;
  const settled = Promise.all(client.unsent.map((outgoing) => outgoing.settled()));
  const done = settled.then(() => null);
  const cut = await Promise.race([done, gone, pause(ms).then(() => null)]);
  while (cut === null && tasks.unfinished().length > 0 && performance.now() < deadline) {
    const end = await Promise.race([gone, pause(20).then(() => null)]);
    if (end) return end;
  }
  return cut;
}

/** What was typed and not done is said where it stays: behind the program's end. */
function tellUnsent(screen: Screen, client: TidingsClient, undone: readonly string[]): void {
  const { length } = client.state === 'stopped' ? [] : client.unsent;
  if (length > 0) {
    screen.farewell(`Not sent yet: ${length}. They are kept and sent the next time.`);
  }
  const changes = client.pendingChanges;
  if (changes > 0) {
    screen.farewell(`Not changed yet: ${changes}. That is kept and done the next time.`);
  }
  const keptToo = (line: string): boolean => changes > 0 && KEPT.test(line);
  for (const line of undone.filter((one) => !keptToo(one)))
    screen.farewell(`Not done: ${safeLine(line)}`);
}

/** Ends the login, with or without the server, and removes what this machine remembers. */
async function endLogin(screen: Screen, client: TidingsClient, profile: Profile): Promise<void> {
  try {
    await client.logout();
  } catch (error) {
    screen.farewell(
      screen.style.bad(`The server was not told: ${friendly(error)}`),
      'Log this device out from another one (/devices) to be sure.',
    );
  }
  await client.stop();
  profile.forget();
  screen.farewell('You are logged out; nothing of you is kept on this machine.');
}
