import { TidingsClient, type Conversation } from '@tidings/sdk';
import { EVERYONE_ID } from '@tidings/protocol/ids';
import { nodeSha256 } from '@tidings/sdk/node';
import { CONVERSATION, ME, message, PEER, served, welcome } from '../../sdk/testing/factories';
import { FakeClock, settle } from '../../sdk/testing/fake-clock';
import { FakeTransport } from '../../sdk/testing/fake-transport';
import { ESC, openTerminal, soon } from '../testing/fake-terminal';
import { Chat } from './chat';
import { Files } from './files';
import { Lists } from './lists';
import { People } from './people';
import { Rooms } from './rooms';

const NOW = new Date();
const inMs = (ms: number): string => new Date(NOW.getTime() + ms).toISOString();
const LISTED = '00000000-0000-7000-8000-000000000011';
const CAT = '00000000-0000-7000-8000-00000000000c';
const BOB = { id: PEER, username: 'bob', firstName: 'Bob' };
const member = (userId: string, read = '0') => ({ userId, role: 'member', delivered: read, read });

/** A chat on a terminal of 50 columns, whose server the test plays. */
class Bench {
  readonly clock = new FakeClock();
  readonly transport = new FakeTransport();
  readonly terminal = openTerminal(50);
  readonly client: TidingsClient;
  readonly chat: Chat;
  readonly rooms: Rooms;
  readonly people: People;
  conversation: object;
  contacts: object[] = [];
  /** Nothing answers. */
  down = false;
  /** The gateway answers, but what it asks is away. */
  unavailable = false;
  features = ['receipts'];

  constructor(more: object) {
    const times = { createdAt: inMs(0), visibleFrom: '0', unread: 0, digest: '' };
    this.conversation = { id: CONVERSATION, ...times, ...more };
    const answers: [RegExp, () => object][] = [
      [/\/connections$/, () => DIRECTORY],
      [/\/messages/, () => ({ items: [], more: false })],
      [/\/contacts(?!\/incoming)/, () => ({ items: this.contacts })],
      [/\/conversations/, () => this.conversation],
      [/./, () => ({ items: [] })],
    ];
    this.client = new TidingsClient({
      servers: ['http://one'],
      transport: this.transport,
      sha256: nodeSha256,
      fetch: (url) => {
        if (this.down) return Promise.reject(new TypeError('fetch failed'));
        if (this.unavailable && !/connections$/.test(url as string)) {
          return Promise.resolve(new Response('{"code":"unavailable"}', { status: 503 }));
        }
        const answer = answers.find(([path]) => path.test(url as string))![1]();
        return Promise.resolve(new Response(JSON.stringify(answer)));
      },
      clock: this.clock,
      random: () => 0.5,
    });
    this.client.restore({
      user: { id: ME, username: 'me', firstName: 'Me' },
      deviceId: 'd',
      accessToken: 'a',
      refreshToken: 'r',
      expiresAt: Infinity,
    });
    const { client } = this;
    const { screen } = this.terminal;
    this.people = new People(client);
    this.rooms = new Rooms(client, this.people);
    const { people, rooms } = this;
    this.chat = new Chat({ client, screen, people, rooms, files: new Files(client) });
    people.learn(BOB);
    people.learn({ id: CAT, username: 'cat', firstName: 'Cat' });
  }

  async begin(...messages: ReturnType<typeof message>[]): Promise<void> {
    await this.client.start();
    await this.synced(...messages);
    this.chat.begin();
  }

  /** The server lets the client in and answers its first sync. */
  async synced(...messages: ReturnType<typeof message>[]): Promise<void> {
    await settle();
    this.transport.last.receive(
      welcome('g1', { serverTime: inMs(0), heartbeatSeconds: 1e9, features: this.features }),
    );
    await settle();
    const { ref } = this.transport.last.frames<{ ref: string }>('sync').at(-1)!;
    const conversations = [served('new', messages.length, messages)];
    const last = { conversations, since: 's', complete: true };
    this.transport.last.receive({ type: 'synced', ref, ...last });
  }

  /** From now on the list of conversations has one like that of this server, and comes when it is called for. */
  listsLate(): () => void {
    let answer = (_: { items: Conversation[] }): void => undefined;
    const late = new Promise<{ items: Conversation[] }>((resolve) => (answer = resolve));
    jest.spyOn(this.client.api, 'conversations').mockReturnValue(late);
    return () => answer({ items: [{ ...this.conversation, id: LISTED } as Conversation] });
  }

  /** What the window shows of the chat: without times, line of status and prompt. */
  get window(): string[] {
    return this.terminal.terminal.lines
      .slice(0, -2)
      .map((line) => line.replaceAll(/(?:\d{4}-\d\d-\d\d )?\d\d:\d\d/g, 'TIME'));
  }

  get status(): string {
    return this.terminal.terminal.lines.at(-2)!;
  }

  get prompt(): string {
    return this.terminal.terminal.lines.at(-1)!;
  }

  shows(...lines: unknown[]): Promise<void> {
    return soon(() => expect(this.window).toEqual(lines));
  }

  async end(): Promise<void> {
    this.chat.end();
    await this.client.stop();
    this.terminal.screen.close();
  }
}

const DIRECTORY = {
  ticket: 't',
  expiresInSeconds: 30,
  gateways: [{ id: 'g1', url: 'ws://g1/' }],
  heartbeatSeconds: 1e9,
  backoff: { baseMs: 100, maxMs: 1000 },
};
const DIRECT = {
  kind: 'direct',
  memberCount: 2,
  members: [member(ME), member(PEER)],
  lastPosition: '9',
};

const HEADER = expect.stringContaining('──') as string;

describe('the announcements', () => {
  it('are read, with nobody to count and nothing to write', async () => {
    const announcements = { kind: 'everyone', title: 'Announcements', memberCount: 0 };
    const bench = new Bench({ ...announcements, id: EVERYONE_ID });
    await bench.begin();
    await bench.chat.open({ conversationId: EVERYONE_ID });
    await soon(() => expect(bench.prompt).toContain('Announcements>'));
    expect(bench.chat.write('may I?')).toBe(false);
    await bench.chat.attach('a.txt');
    expect(bench.client.unsent).toEqual([]);
    await soon(() => expect(bench.window.join(' ')).toContain('only the people who run'));
    expect(bench.window.join(' ')).not.toContain('members');
    expect(bench.transport.last.frames('typing')).toEqual([]);
    await bench.end();
  });
});

describe('a chat on the screen', () => {
  let bench: Bench;
  const open = (more: object = DIRECT) => (bench = new Bench(more));
  afterEach(() => bench.end());

  const hears = (n: number, more = {}) =>
    bench.transport.last.receive({
      type: 'message',
      ...message(n, { sentAt: inMs(0), ...more }),
      previous: null,
    });
  const reads = () => bench.transport.last.frames<{ position: string }>('read');

  it('has every line in the order of the log, and its mark in its place', async () => {
    open();
    await bench.begin(message(1, { sentAt: inMs(0) }));
    await bench.chat.open({ user: BOB });
    const socket = bench.transport.last;
    hears(2);
    hears(6);
    for (const text of ['one', 'two', 'three']) bench.chat.write(text);
    const logged = [1, 2, 6].map((n) => `TIME  bob  text ${n}`);
    const waits = ['one', 'two', 'three'].map((text) => `TIME  you ·  ${text}`);
    await bench.shows(HEADER, ...logged, ...waits);
    // Later ones come first, and one that belongs further up.
    const ids = socket.frames<{ messageId: string }>('send').map((f) => f.messageId);
    const sent = (n: number, position: string): void =>
      socket.receive({
        type: 'sent',
        messageId: ids[n],
        conversationId: CONVERSATION,
        position,
        sentAt: inMs(0),
      });
    sent(1, '8');
    hears(3);
    sent(0, '4');
    socket.receive({ type: 'held', messageId: ids[2], conversationId: CONVERSATION });
    await bench.shows(
      HEADER,
      ...[1, 2, 3].map((n) => `TIME  bob  text ${n}`),
      'TIME  you ✓  one',
      'TIME  bob  text 6',
      'TIME  you ✓  two',
      expect.stringContaining('(◦)'),
      'sends it as soon as it can',
      'TIME  you ◦  three',
    );
    const receipt = (delivered: string, read: string): void =>
      socket.receive({
        type: 'receipt',
        conversationId: CONVERSATION,
        userId: PEER,
        delivered,
        read,
      });
    receipt('8', '4');
    await soon(() => expect(bench.window).toContain('TIME  you ✔✔  one'));
    expect(bench.window).toContain('TIME  you ✓✓  two');
  });

  const presence = (userId: string, version: number, status: string, lastSeenAt = inMs(0)) =>
    bench.transport.last.receive({
      type: 'presence',
      userId,
      status,
      lastSeenAt,
      activeAt: null,
      version,
    });
  const watched = () =>
    bench.transport.last.frames<{ userIds: string[] }>('watch').map((f) => f.userIds);

  it('says who is here as it changes, and watches nobody when it is closed', async () => {
    open();
    bench.features = ['presence'];
    await bench.begin(message(1, { sentAt: inMs(0) }));
    await bench.chat.open({ user: BOB });
    const line = 'TIME  bob  text 1';
    await bench.shows('── bob', line);
    presence(PEER, 1, 'online');
    await bench.shows('── bob · online', line);
    presence(PEER, 3, 'offline');
    presence(PEER, 2, 'away');
    await bench.shows('── bob · last seen TIME', line);
    bench.chat.close();
    bench.clock.advance(1_000);
    expect(watched()).toEqual([[PEER], []]);
  });

  it('says in a line each what the server does less of, and that it is back to normal', async () => {
    open();
    await bench.begin(message(1, { sentAt: inMs(0) }));
    await bench.chat.open({ user: BOB });
    const said = () => bench.window.join(' ').replaceAll(/ +/g, ' ');
    bench.transport.last.receive({ type: 'shed', lanes: ['typing'] });
    await soon(() => expect(said()).toMatch(/text 1 the server is very busy: nobody is shown/));
    bench.transport.last.receive({ type: 'shed', lanes: [] });
    await soon(() => expect(said()).toMatch(/as ever the server is back to normal$/));
    expect(said().match(/the server/g)).toHaveLength(2);
  });

  it('says how many of a group are here', async () => {
    const members = [member(ME), member(PEER), member(CAT)];
    open({ kind: 'group', title: 'Friends', memberCount: 3, members });
    bench.features = ['presence'];
    await bench.begin(message(1, { sentAt: inMs(0) }));
    await bench.chat.open({ conversationId: CONVERSATION });
    const line = 'TIME  bob  text 1';
    await bench.shows('── Friends · 3 members', line);
    expect(watched()).toEqual([[PEER, CAT]]);
    presence(PEER, 1, 'away');
    presence(CAT, 1, 'online');
    await bench.shows('── Friends · 2 here · 3 members', line);
    presence(CAT, 2, 'offline');
    await bench.shows('── Friends · 1 here · 3 members', line);
  });

  it('says who is here in the list of contacts and chats, in place', async () => {
    open();
    bench.features = ['presence'];
    bench.contacts = [{ user: BOB, mutual: true }];
    await bench.begin(message(1, { sentAt: inMs(0) }));
    const { client, people, rooms } = bench;
    const { screen } = bench.terminal;
    const lists = new Lists({ client, screen, people, rooms });
    await lists.contacts();
    presence(PEER, 1, 'online');
    await bench.shows('  1  bob (Bob) · online');
    presence(PEER, 2, 'away');
    await bench.shows('  1  bob (Bob) · away');
  });

  it('says in the list of contacts who has added one meanwhile', async () => {
    open();
    bench.contacts = [{ user: BOB, mutual: false }];
    await bench.begin();
    const { client, people, rooms } = bench;
    const { screen } = bench.terminal;
    await new Lists({ client, screen, people, rooms }).contacts();
    await bench.shows('  1  bob (Bob) · has not added you');
    bench.contacts = [{ user: BOB, mutual: true }];
    bench.transport.last.receive({ type: 'account', changed: ['contacts'] });
    await bench.shows('  1  bob (Bob)');
  });

  it('keeps a list where it was printed: it comes into no chat that is opened later', async () => {
    open();
    bench.features = ['presence'];
    bench.contacts = [{ user: BOB, mutual: true }];
    await bench.begin(message(1, { sentAt: inMs(0) }));
    const { client, people, rooms } = bench;
    const { screen } = bench.terminal;
    await new Lists({ client, screen, people, rooms }).contacts();
    await bench.shows('  1  bob (Bob)');
    await bench.chat.open({ user: BOB });
    presence(PEER, 1, 'online');
    await bench.shows('── bob · online', 'TIME  bob  text 1');
    // It was kept up to date all the same.
    bench.chat.close();
    await bench.shows('  1  bob (Bob) · online');
  });

  it('puts the list of the beginning into no chat when it comes late', async () => {
    const members = [member(ME), member(PEER)];
    open({ kind: 'group', title: 'Friends', memberCount: 2, members });
    await bench.begin();
    const { client, people, rooms } = bench;
    const { screen } = bench.terminal;
    const answer = bench.listsLate();
    const listed = new Lists({ client, screen, people, rooms }).conversations();
    await bench.chat.open({ user: { id: CAT, username: 'cat', firstName: 'Cat' } });
    answer();
    await listed;
    bench.chat.status('and then');
    await bench.shows(expect.stringContaining('── cat'), '  no messages yet', '  and then');
    bench.chat.close();
    await bench.shows('  1  Friends · 2 members');
  });

  it('shows numbers in the last list only, and they open what they show', async () => {
    const members = [member(ME), member(PEER), member(CAT)];
    open({ kind: 'group', title: 'Friends', memberCount: 3, members });
    bench.contacts = [{ user: BOB, mutual: true }];
    await bench.begin();
    const { client, people, rooms } = bench;
    const { screen } = bench.terminal;
    const lists = new Lists({ client, screen, people, rooms });
    const answer = bench.listsLate();
    // The answer to the first comes behind that to the second.
    const first = lists.conversations();
    await lists.contacts();
    await bench.shows('  1  bob (Bob)');
    answer();
    await first;
    await bench.shows('     Friends · 3 members', '  1  bob (Bob)');
    expect(lists.door(1)).toEqual({ user: BOB });
    await lists.conversations();
    await bench.shows('     Friends · 3 members', '     bob (Bob)', '  1  Friends · 3 members');
    expect(lists.door(1)).toEqual({ conversationId: LISTED });
  });

  it('shows edits and deletions where the message is', async () => {
    open();
    await bench.begin(message(1, { sentAt: inMs(0) }), message(2, { sentAt: inMs(0) }));
    await bench.chat.open({ user: BOB });
    const change = (n: number, version: string, more: object): void =>
      bench.transport.last.receive({
        type: 'changed',
        changeId: `change-${version}`,
        ...message(n, { sentAt: inMs(0), ...more }),
        version,
        previous: null,
      });
    change(1, '3', { content: { kind: 'text', text: 'better' } });
    await bench.shows(HEADER, 'TIME  bob  better (changed)', 'TIME  bob  text 2');
    change(2, '4', { content: { kind: 'deleted' }, deleted: true });
    await bench.shows(HEADER, 'TIME  bob  better (changed)', 'TIME  bob  (deleted)');
  });

  it('takes away what has disappeared, and says so', async () => {
    open({ ...DIRECT, messageTtlSeconds: 10 });
    const about = (n: number, more = {}) => message(n, { sentAt: inMs(0), ...more });
    await bench.begin(about(1), about(2, { expiresAt: inMs(10_000) }), about(3));
    await bench.chat.open({ user: BOB });
    await soon(() => expect(bench.window).toContain('TIME  bob  text 2'));
    expect(bench.window.join(' ')).toContain('messages disappear after');
    bench.terminal.type('half a li');
    await soon(() => expect(bench.prompt).toBe('bob (⏱ 10s)> half a li'));
    bench.clock.advance(10_000);
    await soon(() => expect(bench.window).not.toContain('TIME  bob  text 2'));
    expect(bench.window.slice(1).filter((line) => line.startsWith('TIME'))).toEqual([
      'TIME  bob  text 1',
      'TIME  bob  text 3',
    ]);
    expect(bench.window.at(-1)).toBe('  a message has disappeared');
    expect(bench.prompt).toBe('bob (⏱ 10s)> half a li');
  });

  it('says by how many of a group the last line was read, in one place', async () => {
    const members = [member(ME), member(PEER), member(CAT)];
    open({ kind: 'group', title: 'Books', memberCount: 3, members, lastPosition: '1' });
    await bench.begin(message(1, { sentAt: inMs(0), senderId: ME }));
    await bench.chat.open({ conversationId: CONVERSATION });
    const receipt = (userId: string, delivered: string, read: string) =>
      bench.transport.last.receive({
        type: 'receipt',
        conversationId: CONVERSATION,
        userId,
        delivered,
        read,
      });
    receipt(PEER, '1', '0');
    await soon(() => expect(bench.status).toMatch(/^── ✓ with 1 of 2 ─+$/));
    receipt(PEER, '1', '1');
    await soon(() => expect(bench.status).toContain('✓ read by 1 of 2'));
    receipt(CAT, '1', '1');
    await soon(() => expect(bench.status).toContain('✔✔ read by 2 of 2'));
    expect(bench.window.at(-1)).toBe('TIME  you ✔✔  text 1');
  });

  it('reads only what somebody looks at; else it counts, and rings', async () => {
    open();
    await bench.begin(message(1, { sentAt: inMs(0) }));
    await bench.chat.open({ user: BOB });
    await soon(() => {
      bench.clock.advance(1_000);
      expect(reads().at(-1)?.position).toBe('1');
    });
    bench.terminal.type(`${ESC}[O`);
    await soon(() => expect(bench.terminal.screen.looked).toBe(false));
    hears(2, {});
    await soon(() => expect(bench.terminal.terminal.bells).toBe(1));
    await soon(() => expect(bench.status).toContain('new: bob 1'));
    bench.clock.advance(5_000);
    await settle();
    expect(reads().at(-1)?.position).toBe('1');
    bench.terminal.type(`${ESC}[I`);
    await soon(() => {
      bench.clock.advance(1_000);
      expect(reads().at(-1)?.position).toBe('2');
    });
    await soon(() => expect(bench.status).not.toContain('new'));
  });

  it('gets what it lacks when it was opened without the server', async () => {
    open({ kind: 'group', title: 'Books', memberCount: 2, lastPosition: '1' });
    bench.down = true;
    await bench.client.start();
    bench.rooms.recall([{ conversationId: CONVERSATION, title: 'Books' }]);
    bench.chat.begin();
    const opening = bench.chat.open({ conversationId: CONVERSATION });
    // Nothing waits for the server: what is typed goes there.
    bench.chat.write('written offline');
    await opening;
    await bench.shows(
      HEADER,
      '  offline — older messages come later',
      'TIME  you ·  written offline',
    );
    expect(bench.status).toContain('offline — what you type is kept');
    bench.down = false;
    bench.client.reconnect();
    await bench.synced(message(1, { sentAt: inMs(0) }));
    await soon(() => expect(bench.window[1]).toBe('TIME  bob  text 1'));
    expect(bench.window[0]).toContain('── Books · 2 members');
    expect(bench.window.slice(2)).toEqual(['TIME  you ·  written offline']);
    expect(bench.prompt).toBe('Books>');
  });

  it('gets what it lacks when it was opened while the gateway could not ask others', async () => {
    open({ ...DIRECT, members: [member(ME), member(CAT)] });
    await bench.begin();
    bench.unavailable = true;
    await bench.chat.open({ user: { id: CAT, username: 'cat', firstName: 'Cat' } });
    const away = '  the server cannot do that right now — older messages come later';
    await soon(() => expect(bench.window.slice(1).join('')).toBe(away));
    bench.unavailable = false;
    await bench.shows(HEADER, '  no messages yet');
  });

  /** Writes in a group; the result has the server refuse that. */
  async function writesInBooks(text: string): Promise<() => void> {
    const members = [member(ME), member(PEER)];
    open({ kind: 'group', title: 'Books', memberCount: 2, members, lastPosition: '1' });
    await bench.begin(message(1, { sentAt: inMs(0) }));
    await bench.chat.open({ conversationId: CONVERSATION });
    bench.chat.write(text);
    await settle();
    const { messageId: ref } = bench.transport.last.frames<{ messageId: string }>('send').at(-1)!;
    const refusal = { type: 'error', code: 'no_such_conversation', detail: '', retryable: false };
    return () => bench.transport.last.receive({ ...refusal, ref });
  }

  it('says why text comes back to the input, also when the group is gone from the screen', async () => {
    const refuse = await writesInBooks('too late');
    refuse();
    const why = '✗ not sent: too late — You are no longer in Books.';
    await soon(() => expect(bench.window.at(-1)).toBe(why));
    expect(bench.prompt).toBe('Books> too late');
    bench.rooms.forget(CONVERSATION);
    bench.chat.close();
    await soon(() => expect(bench.prompt).toBe('tidings> too late'));
    expect(bench.window.at(-1)).toBe(why);
  });

  it('keeps what was not sent in one chat out of the input of another', async () => {
    const refuse = await writesInBooks('for Books alone');
    bench.conversation = { ...bench.conversation, ...DIRECT, id: LISTED };
    await bench.chat.open({ user: { id: CAT, username: 'cat', firstName: 'Cat' } });
    refuse();
    await soon(() => expect(bench.window.join('\n')).toContain('not sent: for Books alone'));
    expect(bench.prompt).toBe('cat>');
  });

  it('leaves the group when one is removed from it, and knows its name ever after', async () => {
    const members = [member(ME), member(PEER)];
    open({ kind: 'group', title: 'Books', memberCount: 2, members, lastPosition: '1' });
    await bench.begin(message(1, { sentAt: inMs(0) }));
    await bench.rooms.lookUp(CONVERSATION);
    await bench.chat.open({ conversationId: CONVERSATION });
    const changed = (n: number, change: object) =>
      bench.transport.last.receive({
        type: 'conversation',
        conversationId: CONVERSATION,
        position: String(n),
        messageId: message(n).messageId,
        senderId: PEER,
        sentAt: inMs(0),
        previous: String(n - 1),
        change,
      });
    bench.down = true;
    changed(2, { kind: 'removed', userIds: [ME] });
    await soon(() => expect(bench.window.join('\n')).toContain('bob removed you'));
    expect(bench.chat.current).toBeNull();
    expect(bench.window.slice(-2)).toEqual([
      expect.stringContaining('no longer in Books'),
      '  in Books: bob removed you',
    ]);
    expect(bench.prompt).toBe('tidings>');
    bench.down = false;
    bench.conversation = { ...bench.conversation, title: 'Novels' };
    changed(3, { kind: 'added', userIds: [ME], history: 'all' });
    await soon(() => expect(bench.window.at(-1)).toBe('  in Novels: bob added you'));
  });

  it('shows text of others without any control of the terminal', async () => {
    open();
    const text = `a${ESC}[2J${ESC}]0;title\u0007\u009b1m\u202eb\nnext\u{1F44D} e\u0301`;
    await bench.begin(message(1, { sentAt: inMs(0), content: { kind: 'text', text } }));
    bench.people.learn({ ...BOB, username: `bo${ESC}[31mb` });
    await bench.chat.open({ user: { ...BOB, username: `bo${ESC}[31mb` } });
    await soon(() => expect(bench.window.join('\n')).toContain('next👍'));
    expect(bench.window[1]).toContain('bo␛[31mb  a␛[2J␛]0;title␇\ufffd1m\ufffdb');
    expect(bench.prompt).toBe('bo␛[31mb>');
  });
});
