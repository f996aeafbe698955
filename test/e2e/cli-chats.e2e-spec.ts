import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page, Presence, User } from '@tidings/protocol/http';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { CliProcess } from '../support/cli-process';
import { eventually } from '../support/eventually';
import { startTestStack } from '../support/test-stack';

const CANARY = 'canary-b85c';

describe('the terminal client', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let homes: string;
  let [ann, bob, cat] = ['', '', ''];
  let [a, b]: CliProcess[] = [];

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    homes = mkdtempSync(join(tmpdir(), 'tidings-cli-'));
    const stamp = `${process.pid}x${Date.now() % 1e6}`;
    [ann, bob, cat] = [`ann${stamp}`, `bob${stamp}`, `cat${stamp}`];
    for (const user of [ann, bob, cat]) await (await CliProcess.register(place(user))).quit();
    a = await onGateway(ann, 'gateway-1');
    b = await onGateway(bob, 'gateway-2');
  }, 300_000);
  afterAll(async () => {
    for (const cli of [a, b]) await cli?.kill();
    rmSync(homes, { recursive: true, force: true });
    await stop?.();
  });

  const place = (user: string) => ({
    servers: stack.gatewayUrls,
    user,
    home: join(homes, user),
  });

  /** A client whose socket is at one gateway: the directory decides, so it is asked until it is so. */
  async function onGateway(user: string, gateway: string): Promise<CliProcess> {
    return eventually(async () => {
      const cli = await CliProcess.start(place(user));
      cli.type('/status');
      const next = await cli.shows(/^Connection: online, by /);
      if (cli.lines[next - 1]!.endsWith(gateway)) return cli;
      await cli.quit();
      throw new Error(`${user} never came to ${gateway}`);
    }, 120_000);
  }

  const says = (user: string, text: string, tick = '') =>
    new RegExp(`^\\d\\d:\\d\\d {2}${user}${tick} {2}${text}$`);
  const event = (text: string) => new RegExp(`^\\d\\d:\\d\\d {2}· ${text}$`);

  /** Types a line on one side and waits for what it shows on both. */
  async function then(who: CliProcess, line: string, shown: [CliProcess, RegExp][]): Promise<void> {
    const from = new Map([a, b].map((cli) => [cli, cli!.lines.length]));
    who.type(line);
    await Promise.all(shown.map(([cli, pattern]) => cli.shows(pattern, from.get(cli))));
  }

  describe('with people', () => {
    const lines = Array.from({ length: 12 }, (_, n) => `line ${n + 1}`);

    it('finds them, makes them contacts and opens a chat by its number', async () => {
      await a!.shows(/^No contacts yet: \/people finds people, \/add NAME\.$/);
      await then(a!, `/people ${bob}`, [[a!, new RegExp(`^ {2}1 {2}${bob}$`)]]);
      await then(a!, `/add ${bob}`, [
        [a!, new RegExp(`^${bob} is one of your contacts now\\.$`)],
        [a!, new RegExp(`^ {2}1 {2}${bob} · online, has not added you$`)],
      ]);
      await then(b!, '/contacts', [
        [b!, /^No contacts yet: /],
        [b!, new RegExp(`^ {2}They have added you: ${ann} \\(/add NAME\\)$`)],
      ]);
      await then(b!, `/add ${ann}`, [[b!, new RegExp(`^ {2}1 {2}${ann} · online$`)]]);
      await then(a!, `/add ${cat}`, [
        [a!, new RegExp(`^ {2}1 {2}${bob} · online$`)],
        [a!, new RegExp(`^ {2}2 {2}${cat} · .+, has not added you$`)],
      ]);
      await then(a!, '/add nobody-at-all', [[a!, /^Nobody is called nobody-at-all\.$/]]);
      await then(a!, '1', [
        [a!, new RegExp(`^── ${bob} · online$`)],
        [a!, /^ {2}no messages yet$/],
      ]);
    });

    it('sends with a tick, and opens a chat with its last ten messages', async () => {
      a!.type(...lines);
      await eventually(() => expect(a!.all(/ {2}you ✓ {2}(line \d+)$/)).toEqual(lines), 60_000);
      const heard = new RegExp(` {2}${ann} {2}(line \\d+)$`);
      await eventually(() => expect(b!.all(heard)).toEqual(lines), 60_000);
      expect(b!.lines).toContain(`  in the chat with ${ann} (/chat ${ann}):`);

      let from = b!.lines.length;
      await then(b!, '1', [[b!, new RegExp(`^── ${ann} · online$`)]]);
      await then(b!, 'all heard', [
        [b!, says('you', 'all heard', ' ✓')],
        [a!, says(bob, 'all heard')],
      ]);
      expect(b!.all(heard, from)).toEqual(lines.slice(-10));
      await a!.shows(new RegExp(`^ {2}✔✔ read by ${bob}$`));

      from = b!.lines.length;
      await then(b!, '/history', [[b!, /^ {2}— back to now —$/]]);
      expect(b!.all(heard, from)).toEqual(lines.slice(0, 2));
    });

    it('says when nobody is there, who has it all when he comes back', async () => {
      const from = a!.lines.length;
      expect(await b!.quit()).toBe(0);
      await isOffline(bob);
      await then(a!, 'are you there?', [
        [a!, says('you', 'are you there\\?', ' ✓')],
        [a!, new RegExp(`^ {2}${bob} is not online; they will get it later$`)],
      ]);
      await then(a!, 'hello?', [[a!, says('you', 'hello\\?', ' ✓')]]);

      b = await onGateway(bob, 'gateway-2');
      const next = await b.shows(new RegExp(`^ {2}1 {2}${ann} \\(2 new\\) · `));
      b.type('1');
      await b.shows(says(ann, 'are you there\\?'), next);
      await b.shows(says(ann, 'hello\\?'), next);
      await then(b, 'yes', [[a!, says(bob, 'yes')]]);
      expect(a!.all(/(not online)/, from)).toHaveLength(1);
    });
  });

  describe('in groups', () => {
    it('are made, talked in, and read by n of m', async () => {
      await then(a!, `/group The book club @${bob} @${cat}`, [
        [a!, /^── The book club · 3 members$/],
        [b!, event(`${ann} made this group: The book club`)],
      ]);
      await then(a!, 'hello everybody', [
        [a!, says('you', 'hello everybody', ' ✓')],
        [b!, /^ {2}in The book club \(\/chat The book club\):$/],
        [b!, says(ann, 'hello everybody')],
      ]);
      await then(b!, '/conversations', [[b!, /^ {2}1 {2}The book club \(1 new\) · 3 members/]]);
      await then(b!, '/chat 1', [[b!, says(ann, 'hello everybody')]]);
      await a!.shows(/^ {2}✓ read by 1 of 2$/);
      await then(b!, 'hello ann', [
        [a!, says(bob, 'hello ann')],
        [b!, says('you', 'hello ann', ' ✓')],
      ]);
      await then(a!, '/read', [[a!, new RegExp(`^ {2}read by 1 of 2: ${bob}$`)]]);
    });

    it('tell in words what becomes of them, and who may not', async () => {
      await then(a!, '/title Readers', [
        [a!, event('you named the group Readers')],
        [b!, event(`${ann} named the group Readers`)],
      ]);
      await then(b!, '/title Mine', [[b!, /^You may not do that/]]);
      await then(a!, `/role @${bob} admin`, [[b!, event(`${ann} made you an admin`)]]);
      await then(b!, `/kick @${cat}`, [[a!, event(`${bob} removed ${cat}`)]]);
      await then(b!, '/members', [
        [b!, new RegExp(`^ {5}${ann} · owner$`)],
        [b!, new RegExp(`^ {5}${bob} · admin · you$`)],
      ]);
      await then(b!, `/add @${cat}`, [[a!, event(`${bob} added ${cat}`)]]);
      await then(b!, '/add @nobody-at-all', [[b!, /^Nobody is called nobody-at-all\.$/]]);
    });

    it('show edits and deletions', async () => {
      await then(a!, 'tpyo', [[b!, says(ann, 'tpyo')]]);
      await then(a!, '/edit typo', [
        [a!, /^ {2}✎ your message of \d\d:\d\d says now: typo$/],
        [b!, new RegExp(`^ {2}✎ ${ann}'s message of \\d\\d:\\d\\d says now: typo$`)],
      ]);
      await then(a!, '/delete', [
        [b!, new RegExp(`^ {2}✎ ${ann}'s message of \\d\\d:\\d\\d was deleted$`)],
      ]);
    });

    it('let messages disappear, and leave nothing of them', async () => {
      await then(a!, '/ttl soon', [[a!, /^ {2}how long\? /]]);
      await then(a!, '/ttl 10s', [
        [a!, event('you set messages to disappear after 10 seconds')],
        [b!, event(`${ann} set messages to disappear after 10 seconds`)],
      ]);
      await then(a!, '/ttl', [[a!, /^ {2}messages disappear after 10 seconds; /]]);
      const gone: [CliProcess, RegExp][] = [a!, b!].map((cli) => [
        cli,
        /^ {2}a message has disappeared$/,
      ]);
      await then(a!, CANARY, [[b!, says(ann, CANARY)], ...gone]);
      const next = [a!, b!].map((cli) => cli.lines.length);
      await then(b!, '/chat Readers', [
        [b!, /^── Readers · 3 members · messages disappear after 10/],
      ]);
      await then(b!, '/ttl off', [[a!, event(`${bob} set messages to stay from now on`)]]);
      expect([a!, b!].flatMap((cli, i) => cli.all(new RegExp(`(${CANARY})`), next[i]))).toEqual([]);
      expect(kept()).not.toContain(CANARY);
    });

    it('are left', async () => {
      await then(b!, '/leave', [
        [a!, event(`${bob} left`)],
        [b!, /^ {2}you have left Readers$/],
      ]);
      await then(b!, 'to nobody', [[b!, /^ {2}to whom\?/]]);
      await then(b!, '/chat Readers', [[b!, /^Nobody is called Readers\.$/]]);
    });
  });

  /** Waits until a user is not connected any more, as others see it. */
  async function isOffline(username: string): Promise<void> {
    const other = new ChatUser(stack.gatewayUrls, cat);
    await other.login();
    const found = await other.http<Page<User>>('GET', `/v1/users?query=${username}`);
    const path = `/v1/presence?userIds=${found.body.items[0]!.id}`;
    await eventually(async () => {
      const { items } = (await other.http<Page<Presence>>('GET', path)).body;
      expect(items).toMatchObject([{ status: 'offline' }]);
    }, 60_000);
  }

  /** Everything that the machines of all users keep. */
  function kept(): string {
    const entries = readdirSync(homes, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    return files
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
      .join('\n');
  }
});
