import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { projectRoot } from '../../tools/stack/paths';
import type { Stack } from '../../tools/stack/stack';
import { eventually } from '../support/eventually';
import { exchangeSteps, type ExchangeStep, Meanings } from '../support/page-exchange';
import { startTestStack } from '../support/test-stack';

const page = readFileSync(join(projectRoot(), 'docs', 'PROTOCOL.md'), 'utf8');
const from = page.indexOf('## A whole exchange');
const section = page.slice(from, page.indexOf('\n## ', from));

/** Where `npm start` answers, on the page. */
const SERVER = 'http://127.0.0.1:8080';
const PEOPLE = ['ann', 'bob'];

/** Somebody's terminal with a socket: what it has shown and nobody has looked at yet. */
class SocketTerminal {
  readonly shown: unknown[] = [];
  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => this.shown.push(JSON.parse(data.toString())));
  }

  static async open(url: string, protocols: string[]): Promise<SocketTerminal> {
    const terminal = new SocketTerminal(new WebSocket(url, protocols));
    await new Promise((resolve, reject) => {
      terminal.socket.once('open', resolve).once('error', reject);
    });
    return terminal;
  }

  /** Takes the frame that the page shows, whatever else has come before it. */
  sees(frame: string, meanings: Meanings): Promise<Meanings> {
    const printed: unknown = JSON.parse(frame);
    return eventually(() => {
      const faults = this.shown.map((found) => {
        const tried = meanings.copy();
        return { fault: tried.learn(printed, found), tried };
      });
      const n = faults.findIndex(({ fault }) => fault === null);
      if (n < 0) throw new Error(`${frame}\nis none of ${JSON.stringify(faults)}`);
      this.shown.splice(n, 1);
      return faults[n]!.tried;
    }, 10_000);
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.close();
    await closed;
  }
}

describe('the exchange at the top of docs/PROTOCOL.md', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  const terminals = new Map<string, SocketTerminal>();

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      services: { gateway: 1, session: 1, storage: 1, presence: 1 },
      env: { PRESENCE_GRACE_SECONDS: '1' },
    }));
  }, 240_000);
  afterAll(async () => {
    for (const { socket } of terminals.values()) socket.terminate();
    await stop?.();
  });

  it('works as it is printed', async () => {
    const steps = exchangeSteps(section);
    expect(steps.length).toBeGreaterThan(30);
    const shell = new Map<string, string>();
    let meanings = new Meanings([[SERVER, stack.gatewayUrls[0]!]]);
    /** Ids of users, by name. */
    const people = new Map<string, string>();
    let answer: unknown;
    let latest = '';
    const terminal = (who: string): SocketTerminal => terminals.get(who || latest)!;

    /** Until the server has noticed that somebody's only device is gone. */
    async function isAway(name: string): Promise<void> {
      const headers = { Authorization: `Bearer ${[...shell.values()][0]!}` };
      const url = `${stack.gatewayUrls[0]!}/v1/presence?userIds=${people.get(name)!}`;
      await eventually(async () => {
        const { items } = (await (await fetch(url, { headers })).json()) as {
          items: { status: string }[];
        };
        expect(items).toMatchObject([{ status: 'offline' }]);
      }, 10_000);
    }

    async function take(step: ExchangeStep): Promise<void> {
      switch (step.kind) {
        case 'call': {
          const text = (one: string): string =>
            meanings.apply(one.replace(/\$(\w+)/g, (_all, name: string) => shell.get(name)!));
          const headers = Object.entries(step.headers).map(([name, value]) => [name, text(value)]);
          const { method, body } = step;
          const response = await fetch(text(step.url), {
            method,
            headers: Object.fromEntries(headers) as Record<string, string>,
            ...(body !== undefined && { body: text(body) }),
          });
          answer = await response.json();
          const { id, username } = answer as { id?: string; username?: string };
          if (id !== undefined && username !== undefined) people.set(username, id);
          return;
        }
        case 'answer':
          expect(meanings.learn(step.value, answer)).toBeNull();
          return;
        case 'keep':
          shell.set(step.name, (answer as Record<string, string>)[step.field]!);
          return;
        case 'connect': {
          latest = PEOPLE[Math.min(terminals.size, PEOPLE.length - 1)]!;
          const protocols = step.protocols.map((one) => meanings.apply(one));
          terminals.set(latest, await SocketTerminal.open(meanings.apply(step.url), protocols));
          return;
        }
        case 'close':
          await terminal(step.who).close();
          await isAway(step.who);
          return;
        case 'type':
          terminal(step.who).socket.send(meanings.applyQuoted(step.frame));
          return;
        case 'see':
          meanings = await terminal(step.who).sees(step.frame, meanings);
      }
    }
    for (const step of steps) await take(step);
    // nothing came that the page does not show
    expect([...terminals.values()].flatMap(({ shown }) => shown)).toEqual([]);
  });
});
