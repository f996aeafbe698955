import { nodeClient, wsTransport } from '@tidings/sdk/node';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { startTestStack } from '../support/test-stack';
import type { TestSocket } from '../support/test-socket';

/**
 * 2 s is what a quiet machine has to keep and a busy one may miss. A client that waits as long as a refusal
 * says (2 s), and is refused again, needs more than 4 s.
 */
const ELSEWHERE_MS = 3_500;
const CALL = '/v1/connections';

describe('a client with a good ticket for one gateway only, which lets nobody in,', () => {
  let stack: Stack;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      nodeEnv: { 'gateway-1': { MAX_CONNECTIONS: '1' } },
    }));
  }, 240_000);
  afterAll(() => stop?.());

  /** Asks for a ticket for gateway-1 alone; connects when `closes` is through. */
  async function connects(closes: () => Promise<void>) {
    const [, base] = stack.gatewayUrls as [string, string];
    const user = await ChatUser.create([base]);
    const asked: (string[] | undefined)[] = [];
    const opened: string[] = [];
    const inner = wsTransport();
    let began = 0;
    const client = nodeClient({
      servers: [base],
      transport: {
        seesPings: inner.seesPings,
        open: (url, protocols, handlers) => {
          opened.push(url);
          return inner.open(url, protocols, handlers);
        },
      },
      fetch: async (input, init) => {
        if (String(input) !== base + CALL) return fetch(input, init);
        const body = JSON.parse(String(init?.body)) as { avoid?: string[] };
        asked.push(body.avoid);
        if (asked.length > 1) return fetch(input, init);
        const only = JSON.stringify({ ...body, avoid: ['gateway-2'] });
        const answer = await fetch(input, { ...init, body: only });
        await closes();
        began = performance.now();
        return answer;
      },
    });
    let online = 0;
    client.on('state', ({ gatewayId }) => {
      if (gatewayId) online = performance.now();
    });
    try {
      await client.login({ username: user.username, password: ChatUser.PASSWORD });
      await client.start();
      await eventually(() => expect(client.gatewayId).toBe('gateway-2'), 20_000);
    } finally {
      await client.stop();
    }
    return {
      asked,
      opened: opened.map((url) => new URL(url).port),
      ms: Math.round(online - began),
    };
  }

  /** Everything that a client is to have done. */
  function expectRedirected({ asked, opened, ms }: Awaited<ReturnType<typeof connects>>): void {
    console.log(`elsewhere ${ms} ms behind the answer of the directory`);
    expect(opened).toEqual(stack.gatewayUrls.map((url) => new URL(url).port));
    expect(asked).toEqual([undefined, ['gateway-1']]);
    expect(ms).toBeLessThan(ELSEWHERE_MS);
  }

  it('because it is full, is at another one within 2 s', async () => {
    const other = await ChatUser.create(stack.gatewayUrls);
    let socket: TestSocket | undefined;
    expectRedirected(
      await connects(async () => {
        socket = await other.connect('gateway-1');
      }),
    );
    await socket!.end();
  });

  it('because it stops, is at another one within 2 s', async () => {
    const other = await ChatUser.create(stack.gatewayUrls);
    // a free place, so that the directory names it beside a socket that it has to wait for
    await stack.node('gateway-1').restart({ MAX_CONNECTIONS: '2' });
    const socket = await eventually(() => other.connect('gateway-1'), 20_000);
    let stopped: Promise<void> | undefined;
    expectRedirected(
      await connects(async () => {
        stopped = stack.node('gateway-1').stop();
        await socket.next('goodbye');
      }),
    );
    await stopped;
  });
});
