import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { CliProcess } from '../support/cli-process';
import { eventually } from '../support/eventually';
import { startTestStack } from '../support/test-stack';

const COUNT = 20;
const GATEWAYS = ['gateway-1', 'gateway-2'];
const WAITING = /^ {2}· waiting: (line \S+)$/;
const SENT = /^\d\d:\d\d {2}you ✓ {2}(line \S+)$/;

describe('the outbox of the terminal client', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let homes: string;
  let ann: string;
  let bob: string;
  const running = new Set<CliProcess>();

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    homes = mkdtempSync(join(tmpdir(), 'tidings-cli-'));
    const stamp = `${process.pid}x${Date.now() % 1e6}`;
    [ann, bob] = [`ann${stamp}`, `bob${stamp}`];
    for (const user of [bob, ann]) {
      const args = user === ann ? ['--to', bob] : [];
      const cli = await kept(CliProcess.register({ ...place(user), args }));
      if (user === ann) {
        cli.type('line first');
        await cli.shows(/✓ {2}line first/);
      }
      expect(await cli.quit()).toBe(0);
    }
  }, 240_000);
  afterEach(async () => {
    await Promise.all([...running].map((cli) => cli.kill()));
    running.clear();
  });
  afterAll(async () => {
    rmSync(homes, { recursive: true, force: true });
    await stop?.();
  });

  const place = (user: string) => ({
    servers: stack.gatewayUrls,
    user,
    home: join(homes, user),
  });

  async function kept(started: Promise<CliProcess>): Promise<CliProcess> {
    const cli = await started;
    running.add(cli);
    return cli;
  }

  /** Starts a client that is still logged in. */
  const start = (user: string, other: string) =>
    kept(CliProcess.start({ ...place(user), args: ['--to', other] }));

  const numbered = (name: string, count = COUNT): string[] =>
    Array.from({ length: count }, (_, n) => `line ${name}${n}`);

  /** Every file that a user's machine keeps, by its path. */
  function files(user: string): Map<string, string> {
    const home = join(homes, user);
    const paths = readdirSync(home, { recursive: true, withFileTypes: true });
    const plain = paths.filter((entry) => entry.isFile());
    return new Map(
      plain.map((entry) => {
        const path = join(entry.parentPath, entry.name);
        return [path, readFileSync(path, 'utf8')];
      }),
    );
  }

  const stored = (user: string): string => [...files(user).values()].join('\n');

  /** The lines of the chat as the server has them, in order. */
  async function history(): Promise<string[]> {
    const user = new ChatUser(stack.gatewayUrls, ann);
    await user.login();
    const { items } = (
      await user.http<{ items: { id: string }[] }>('GET', '/v1/conversations?limit=1')
    ).body;
    const all = await user.history(items[0]!.id);
    return all.flatMap(({ content }) => (content.kind === 'text' ? [content.text] : []));
  }

  it('keeps what is typed offline over a kill, and sends it once and in order', async () => {
    const lines = numbered('offline-');
    const receiver = await start(bob, ann);
    const first = await start(ann, bob);
    await Promise.all(GATEWAYS.map((id) => stack.node(id).stop()));
    await first.shows(/^ {2}offline — /);
    first.type(...lines);
    await eventually(() => expect(first.all(WAITING)).toEqual(lines));
    // What is not on the disk yet was not typed long enough ago to be kept.
    await eventually(() => expect(stored(ann)).toContain(lines.at(-1)));
    await first.kill();

    const second = await start(ann, bob);
    await eventually(() => expect(second.all(WAITING)).toEqual(lines));
    expect(second.all(SENT)).toEqual([]);
    await Promise.all(GATEWAYS.map((id) => stack.node(id).restart()));
    await second.shows(/^ {2}back online/);
    await eventually(() => expect(second.all(SENT)).toEqual(lines), 60_000);
    const heard = new RegExp(`^\\d\\d:\\d\\d {2}${ann} {2}(line offline-\\S+)$`);
    await eventually(() => expect(receiver.all(heard)).toEqual(lines), 60_000);
    expect((await history()).filter((text) => lines.includes(text))).toEqual(lines);

    await eventually(() => expect(stored(ann)).not.toContain('offline-'));
    expect(await second.quit()).toBe(0);
    expect(receiver.all(heard)).toEqual(lines);
  }, 240_000);

  it('loses and doubles nothing when it is killed in the middle of sending', async () => {
    const lines = numbered('killed-', 200);
    const first = await start(ann, bob);
    first.type(...lines);
    // It also shows the last lines of before.
    const sent = () => first.all(SENT).filter((line) => lines.includes(line));
    await eventually(() => expect(sent().length).toBeGreaterThan(5), 60_000, 1);
    await first.kill();
    const shown = sent();
    const unsent = lines.filter((line) => stored(ann).includes(`"${line}"`));

    const second = await start(ann, bob);
    second.type('line end');
    await second.shows(/✓ {2}line end/);
    const all = (await history()).filter((text) => text.startsWith('line killed-'));
    // Each once, in order; of what was typed only the last ones may have been too late to be kept.
    expect(all).toEqual(lines.slice(0, all.length));
    for (const line of [...shown, ...unsent]) expect(all).toContain(line);
    expect(await second.quit()).toBe(0);
    expect(stored(ann)).not.toContain('killed-');
  });

  it('comes online by a gateway that the server has named while the given one is away', async () => {
    const given = { ...place(bob), servers: stack.gatewayUrls.slice(0, 1) };
    const first = await kept(CliProcess.start({ ...given, password: true }));
    first.type('/status');
    await first.shows(/^Connection: online, by /);
    expect(await first.quit()).toBe(0);
    await stack.node('gateway-1').stop();
    const second = await kept(CliProcess.start(given));
    await eventually(() => {
      second.type('/status');
      expect(second.all(/^Connection: online, by (.*)$/)).toContain('gateway-2');
    }, 60_000);
    expect(await second.quit()).toBe(0);
    await stack.node('gateway-1').restart();
  });

  it('is logged in on this machine until it logs out, which leaves nothing behind', async () => {
    const path = [...files(ann).keys()].find((one) => one.endsWith('session.json'))!;
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const { refreshToken } = JSON.parse(readFileSync(path, 'utf8')) as { refreshToken: string };
    const cli = await start(ann, bob);
    cli.type('/logout');
    await cli.shows(/^You are logged out/);
    const left = [...files(ann).keys()].filter((one) => /session|known|outbox/.test(one));
    expect(left).toEqual([]);
    const user = new ChatUser(stack.gatewayUrls, ann);
    const answer = await user.http('POST', '/v1/auth/refresh', { refreshToken });
    expect(answer.status).toBe(401);
  });
});
