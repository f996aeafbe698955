import { TidingsClient } from '@tidings/sdk';
import { nodeSha256 } from '@tidings/sdk/node';
import { CONVERSATION, ME, message, PEER, served, welcome } from '../../sdk/testing/factories';
import { FakeClock, settle } from '../../sdk/testing/fake-clock';
import { FakeTransport } from '../../sdk/testing/fake-transport';
import { openTerminal, soon } from '../testing/fake-terminal';
import { Chat } from './chat';
import { Files } from './files';
import { People } from './people';
import { Rooms } from './rooms';

const NOW = new Date();
const inMs = (ms: number): string => new Date(NOW.getTime() + ms).toISOString();
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
  /** Nothing answers. */
  down = false;

  constructor(more: object) {
    const times = { createdAt: inMs(0), visibleFrom: '0', unread: 0, digest: '' };
    this.conversation = { id: CONVERSATION, ...times, ...more };
    const answers: [RegExp, () => object][] = [
      [/\/connections$/, () => DIRECTORY],
      [/\/messages/, () => ({ items: [], more: false })],
      [/\/conversations/, () => this.conversation],
      [/./, () => ({ items: [] })],
    ];
    this.client = new TidingsClient({
      servers: ['http://one'],
      transport: this.transport,
      sha256: nodeSha256,
      fetch: (url) => {
        if (this.down) return Promise.reject(new TypeError('fetch failed'));
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
    void this.terminal.screen.nextLine();
  }

  /** The server lets the client in and answers its first sync. */
  async synced(...messages: ReturnType<typeof message>[]): Promise<void> {
    await settle();
    this.transport.last.receive(welcome('g1', { serverTime: inMs(0), heartbeatSeconds: 1e9 }));
    await settle();
    const { ref } = this.transport.last.frames<{ ref: string }>('sync').at(-1)!;
    const conversations = [served('new', messages.length, messages)];
    const last = { conversations, since: 's', complete: true };
    this.transport.last.receive({ type: 'synced', ref, ...last });
  }

  /** What the window shows, without colours. */
  get window(): string[] {
    return this.terminal.terminal.lines.filter((line) => line !== '');
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

describe('a chat on the screen', () => {
  let bench: Bench;
  const open = (more: object = DIRECT) => (bench = new Bench(more));
  afterEach(() => bench.end());

  it('shows what waits above the prompt, then each line as sent, in order', async () => {
    open();
    await bench.begin(message(1, { sentAt: inMs(0) }));
    await bench.chat.open({ user: BOB });
    const socket = bench.transport.last;
    const before = bench.window.slice(0, -1);
    for (let n = 1; n <= 12; n++) bench.chat.write(`line ${n}`);
    const waiting = Array.from({ length: 7 }, (_, i) => `· line ${i + 1}`);
    expect(bench.window).toEqual([...before, ...waiting, '… and 5 more', 'bob>']);
    const ids = socket.frames<{ messageId: string }>('send').map((f) => f.messageId);
    // The later one is confirmed first: it waits for its turn.
    for (const n of [1, 0]) {
      const place = { messageId: ids[n], conversationId: CONVERSATION, position: String(n + 2) };
      socket.receive({ type: 'sent', ...place, sentAt: inMs(0) });
    }
    const said = bench.window.flatMap((line) => /you ✓ {2}(.*)/.exec(line)?.[1] ?? []);
    expect(said).toEqual(['line 1', 'line 2']);
    expect(bench.window.at(-2)).toBe('… and 3 more');
    expect(bench.window).not.toContain('· line 2');
  });

  it('takes away what has disappeared, and says so', async () => {
    open({ ...DIRECT, messageTtlSeconds: 10 });
    const about = (n: number, more = {}) =>
      message(n, { sentAt: inMs(0), content: { kind: 'text', text: `text ${n}` }, ...more });
    await bench.begin(about(1), about(2, { expiresAt: inMs(10_000) }), about(3));
    await bench.chat.open({ user: BOB });
    expect(bench.window.join('\n')).toContain('text 2');
    expect(bench.window.join('\n')).toContain('messages disappear after');
    expect(bench.window.at(-1)).toBe('bob (⏱ 10s)>');
    await bench.terminal.type('half a li');
    bench.clock.advance(10_000);
    await soon(() => expect(bench.window.join('\n')).not.toContain('text 2'));
    const [header, one, three, note, prompt] = bench.window;
    expect(header).toContain('── bob');
    expect([one, three]).toEqual([
      expect.stringContaining('text 1'),
      expect.stringContaining('text 3'),
    ]);
    expect(note).toContain('a message has disappeared');
    expect(prompt).toBe('bob (⏱ 10s)> half a li');
  });

  it('says by how many of a group the last line was read, in one place', async () => {
    const members = [member(ME), member(PEER), member(CAT)];
    open({ kind: 'group', title: 'Books', memberCount: 3, members, lastPosition: '1' });
    await bench.begin(message(1, { sentAt: inMs(0), senderId: ME }));
    await bench.chat.open({ conversationId: CONVERSATION });
    const receipt = (userId: string, delivered: string, read: string) =>
      bench.transport.last.receive({
        ...{ type: 'receipt', conversationId: CONVERSATION, userId, delivered, read },
      });
    receipt(PEER, '1', '0');
    expect(bench.window.at(-2)).toBe('✓ with 1 of 2');
    receipt(PEER, '1', '1');
    expect(bench.window.at(-2)).toBe('✓ read by 1 of 2');
    const lines = bench.window.length;
    receipt(CAT, '1', '1');
    expect(bench.window.at(-2)).toBe('✔✔ read by 2 of 2');
    expect(bench.window).toHaveLength(lines);
  });

  it('gets what it lacks when it was opened without the server', async () => {
    open({ kind: 'group', title: 'Books', memberCount: 2, lastPosition: '1' });
    bench.down = true;
    await bench.client.start();
    bench.rooms.recall([{ conversationId: CONVERSATION, title: 'Books' }]);
    bench.chat.begin();
    void bench.terminal.screen.nextLine();
    await bench.chat.open({ conversationId: CONVERSATION });
    const text = bench.window.join(' ');
    expect(text).toContain('offline — older messages come later');
    expect(text).not.toContain('no messages yet');
    bench.chat.write('written offline');
    expect(bench.window.at(-2)).toBe('· written offline');
    bench.down = false;
    bench.client.reconnect();
    await bench.synced(message(1, { sentAt: inMs(0) }));
    await soon(() => expect(bench.window[1]).toContain('text 1'));
    expect(bench.window[0]).toContain('── Books · 2 members');
    expect(bench.window.slice(2)).toEqual(['· written offline', 'Books>']);
  });

  it('leaves the group when one is removed from it, and knows its name ever after', async () => {
    const members = [member(ME), member(PEER)];
    open({ kind: 'group', title: 'Books', memberCount: 2, members, lastPosition: '1' });
    await bench.begin(message(1, { sentAt: inMs(0) }));
    await bench.rooms.lookUp(CONVERSATION);
    await bench.chat.open({ conversationId: CONVERSATION });
    const changed = (n: number, change: object) =>
      bench.transport.last.receive({
        ...{ type: 'conversation', conversationId: CONVERSATION, position: String(n) },
        ...{ messageId: message(n).messageId, senderId: PEER, sentAt: inMs(0) },
        ...{ previous: String(n - 1), change },
      });
    bench.down = true;
    changed(2, { kind: 'removed', userIds: [ME] });
    await soon(() => expect(bench.window.join('\n')).toContain('bob removed you'));
    expect(bench.chat.current).toBeNull();
    expect(bench.window.slice(-4)).toEqual([
      expect.stringContaining('no longer in Books'),
      '  in Books:',
      expect.stringContaining('· bob removed you'),
      'tidings>',
    ]);
    bench.down = false;
    bench.conversation = { ...bench.conversation, title: 'Novels' };
    changed(3, { kind: 'added', userIds: [ME], history: 'all' });
    await soon(() => expect(bench.window.join('\n')).toContain('bob added you'));
    expect(bench.window.at(-3)).toBe('  in Novels (/chat Novels):');
  });

  it('says where a line belongs that comes later than those behind it', async () => {
    open();
    await bench.begin(message(1, { sentAt: inMs(0) }));
    await bench.chat.open({ user: BOB });
    const socket = bench.transport.last;
    const hears = (n: number) =>
      socket.receive({ type: 'message', ...message(n, { sentAt: inMs(0) }), previous: null });
    for (const n of [2, 6, 3, 4, 7]) hears(n);
    // Waiting lines have no place yet; what is sent has one.
    bench.chat.write('mine');
    hears(9);
    const { messageId } = socket.frames<{ messageId: string }>('send')[0]!;
    const place = { messageId, conversationId: CONVERSATION, position: '8', sentAt: inMs(0) };
    socket.receive({ type: 'sent', ...place });
    hears(10);
    const [, ...shown] = bench.window.map((line) => line.replaceAll(/\d\d:\d\d/g, 'TIME'));
    expect(shown).toEqual([
      'TIME  bob  text 1',
      'TIME  bob  text 2',
      'TIME  bob  text 6',
      '  earlier, before: TIME  bob  text 6',
      'TIME  bob  text 3',
      'TIME  bob  text 4',
      '  — back to now —',
      'TIME  bob  text 7',
      'TIME  bob  text 9',
      '  earlier, before: TIME  bob  text 9',
      'TIME  you ✓  mine',
      '  — back to now —',
      'TIME  bob  text 10',
      'bob>',
    ]);
    bench.chat.clear(false);
    expect(bench.window.join('\n').match(/text \d+|mine/g)).toEqual(
      ['1', '2', '3', '4', '6', '7'].map((n) => `text ${n}`).concat('mine', 'text 9', 'text 10'),
    );
  });
});
