import { PassThrough } from 'node:stream';
import type { TidingsClient } from '@tidings/sdk';
import type { Chat } from './chat';
import { Commands } from './commands';
import type { Files } from './files';
import { People } from './people';
import { PipeScreen } from './pipe-screen';
import { Rooms } from './rooms';
import type { Screen } from './screen';
import { plain } from './style';
import { Tasks } from './tasks';

const GROUPS = ['one', 'two'].map((id) => ({ id, kind: 'group', title: id, unread: 0 }));

/** What a pipe's lines have done, and the program that took them. */
async function piped(
  lines: string[],
  open: boolean,
): Promise<{ done: string[]; commands: Commands }> {
  const done: string[] = [];
  const client = {
    on: () => undefined,
    lifetime: () => null,
    conversation: () => undefined,
    api: {
      conversations: () => Promise.resolve({ items: GROUPS }),
      users: () => Promise.resolve({ items: [] }),
    },
  } as unknown as TidingsClient;
  const world: { current: object | null } = { current: open ? {} : null };
  const chat = {
    get current() {
      return world.current;
    },
    open: (door: { conversationId: string }) => {
      world.current = {};
      done.push(`opens ${door.conversationId}`);
    },
    close: () => (world.current = null),
    write: (text: string) => world.current !== null && done.push(`sends ${text}`) > 0,
    status: (text: string) => done.push(text),
  } as unknown as Chat;
  const people = new People(client);
  const rooms = new Rooms(client, people);
  const screen = new PipeScreen(new PassThrough(), new PassThrough());
  const logOut = () => Promise.resolve();
  const tasks = new Tasks({
    changed: () => undefined,
    failed: (error) => done.push(String(error)),
    note: (text) => done.push(text),
    asking: () => false,
  });
  const parts = { client, screen, people, rooms, chat, tasks, files: {} as Files, logOut };
  const commands = new Commands(parts);
  for (const text of lines) await commands.handle({ text, literal: false });
  return { done, commands };
}

/** Types lines and gives what becomes of each: opened, sent, or said. */
async function typed(lines: string[], open: boolean): Promise<string[]> {
  return (await piped(lines, open)).done;
}

describe('a script whose /chat or /group failed', () => {
  it.each(['/chat nobody', '/chat', '/group', '/group walkers @nobody'])(
    'has no chat open behind %s, until another one is; it ends with a failure',
    async (line) => {
      const lines = ['/conversations', 'one', line, 'two', '/chat 2', 'three'];
      const { done, commands } = await piped(lines, true);
      const name = line.split(' ')[0]!;
      expect(done.filter((text) => /sent|opens|opened|sends/.test(text))).toEqual([
        'sends one',
        `${name} opened nothing: what follows is not sent until a chat is open`,
        'not sent: two',
        'opens two',
        'sends three',
      ]);
      expect(commands.astray).toBe(true);
    },
  );

  it('ends well when each line had somewhere to go', async () => {
    const { commands } = await piped(['/conversations', '/chat 1', 'one'], true);
    expect(commands.astray).toBe(false);
  });
});

/** Commands at a terminal where a chat with bob is open, and what comes of them. */
function terminal(world: { api?: object; people?: object; rooms?: object }) {
  const done: string[] = [];
  const client = {
    on: () => undefined,
    watch: () => undefined,
    unread: () => 0,
    lifetime: () => null,
    conversation: () => undefined,
    api: { users: () => Promise.resolve({ items: [] }), ...world.api },
    createGroup: () => Promise.resolve({ id: 'made', kind: 'group', title: 'made', unread: 0 }),
  } as unknown as TidingsClient;
  let current = {};
  const chat = {
    get current() {
      return current;
    },
    // what the chat has to show never comes
    open: (door: { conversationId: string }) => {
      current = {};
      done.push(`opens ${door.conversationId}`);
      return new Promise(() => undefined);
    },
    write: (text: string) => done.push(`sends ${text}`) > 0,
    status: (text: string) => done.push(text),
    promptName: () => 'bob',
  } as unknown as Chat;
  const people = Object.assign(new People(client), world.people);
  const rooms = Object.assign(new Rooms(client, people), world.rooms);
  const screen = {
    interactive: true,
    on: () => undefined,
    style: plain,
    print: (...texts: string[]) => done.push(...texts),
    replace: () => undefined,
    renew: () => undefined,
    giveBack: (text: string) => done.push(`back: ${text}`) > 0,
    hint: (text: string) => done.push(text),
  } as unknown as Screen;
  const tasks = new Tasks({
    changed: () => undefined,
    failed: (error) => done.push(String(error)),
    note: (text) => done.push(text),
    asking: () => false,
  });
  const logOut = () => Promise.resolve();
  const parts = { client, screen, people, rooms, chat, tasks, files: {} as Files, logOut };
  const commands = new Commands(parts);
  /** Types lines, each when what the one before did is over, as far as it gets. */
  const types = async (...lines: string[]): Promise<string[]> => {
    for (const text of lines) {
      await commands.handle({ text, literal: false });
      await new Promise((resolve) => setImmediate(resolve));
    }
    return done;
  };
  return { types, end: () => tasks.end() };
}

describe('a line behind a /chat that failed', () => {
  const at = (lines: string[]): Promise<string[]> => {
    const people = { byName: () => Promise.resolve(undefined) };
    const group = (title: string) => (title === 'walkers' ? { conversationId: title } : undefined);
    return terminal({ people, rooms: { group } }).types(...lines);
  };

  it('stays in the input line once, with whom it would go to', async () => {
    expect(await at(['one', '/chat cat', 'two', 'two', 'three'])).toEqual([
      'sends one',
      'Nobody is called cat.',
      'back: two',
      '/chat opened nothing: Enter sends this to bob',
      'sends two',
      'sends three',
    ]);
  });

  it('goes out when a later one has opened a chat', async () => {
    expect(await at(['/chat cat', '/chat walkers', 'one'])).toEqual([
      'Nobody is called cat.',
      'opens walkers',
      'sends one',
    ]);
  });
});

describe('a chat that opens', () => {
  let bench: ReturnType<typeof terminal>;
  afterEach(() => bench.end());

  it('is what its number stood for when that was typed', async () => {
    let items = Promise.resolve(GROUPS);
    let found = (_?: object): void => undefined;
    let answer = (_: typeof GROUPS): void => undefined;
    bench = terminal({
      api: { conversations: async () => ({ items: await items }) },
      people: { byName: () => new Promise((resolve) => (found = resolve)) },
    });
    await bench.types('/conversations');
    items = new Promise((resolve) => (answer = resolve));
    await bench.types('/conversations', '/chat somebody', '/chat 2');
    answer([...GROUPS].reverse());
    await bench.types('');
    found();
    expect(await bench.types('one')).toEqual([
      'Nobody is called somebody.',
      'opens two',
      'sends one',
    ]);
  });

  it('is none when its number has just got another meaning, until it is typed again', async () => {
    let answer = (_: { items: typeof GROUPS }): void => undefined;
    let now = 0;
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now);
    const conversations = jest.fn(() => Promise.resolve({ items: GROUPS }));
    bench = terminal({ api: { conversations } });
    await bench.types('/conversations');
    // From now on the server is slow, and says something else than is remembered.
    conversations.mockReturnValue(new Promise((resolve) => (answer = resolve)));
    await bench.types('/conversations');
    answer({ items: [...GROUPS].reverse() });
    expect(await bench.types('', '/chat 2', 'one', '/chat 2', 'two')).toEqual([
      'the list has just changed: 2 is one now; ↑ and Enter opens that',
      'back: one',
      '/chat opened nothing: Enter sends this to bob',
      'opens one',
      'sends two',
    ]);
    conversations.mockReturnValue(Promise.resolve({ items: GROUPS }));
    await bench.types('/conversations');
    now = 1_500;
    expect((await bench.types('/chat 2')).at(-1)).toBe('opens two');
    clock.mockRestore();
  });

  it('keeps nothing waiting for its messages, a new group neither', async () => {
    bench = terminal({ api: { conversations: () => Promise.resolve({ items: GROUPS }) } });
    const lines = ['/conversations', '/group made', 'one', '/chat 2', 'two'];
    expect(await bench.types(...lines)).toEqual([
      'opens made',
      'sends one',
      'opens two',
      'sends two',
    ]);
  });
});

describe('a number', () => {
  it('opens what it stands for in the last list, while no chat is open', async () => {
    expect(await typed(['/conversations', '2'], false)).toEqual(['opens two']);
    expect(await typed(['/conversations', ' 1 '], false)).toEqual(['opens one']);
  });

  it('is a message in an open chat, where /chat chooses', async () => {
    expect(await typed(['2', '/conversations', 'yes', '2', '/chat 2'], true)).toEqual([
      'sends 2',
      'sends yes',
      'sends 2',
      'opens two',
    ]);
  });

  it('is neither behind a list in an open chat, until it is clear what it means', async () => {
    const said = '"2" is not sent: /chat 2 opens number 2 of the list, 2 again sends it';
    expect(await typed(['/conversations', '2', '2'], true)).toEqual([said, 'sends 2']);
    expect(await typed(['/conversations', '2', '/chat 2'], true)).toEqual([said, 'opens two']);
    expect(await typed(['/conversations', '3'], true)).toEqual(['sends 3']);
  });
});
