import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { startTestStack } from '../support/test-stack';

/** Longer than a call may take before it gives a sign of life. */
const DELAY_MS = 200;
const PEOPLE = 30;

describe('internal calls that all take a while', () => {
  let stack: Stack;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      services: { gateway: 2, session: 1, presence: 1, storage: 1 },
      env: { TEST_FAILPOINT: `rpc.beforeHandler:sleep${DELAY_MS}` },
    }));
  }, 240_000);
  afterAll(() => stop?.());

  it('fail nobody: 30 registrations, 30 logins and a chat', async () => {
    const { gatewayUrls } = stack;
    const someone = new ChatUser(gatewayUrls, 'x');
    // A machine that does much else may be late or have a full queue: it says so and is asked again. What is
    // refused for being slow is so each time.
    const post = (n: number, path: string, body: object) =>
      eventually(async () => {
        const base = gatewayUrls[n % 2];
        const answer = await someone.http('POST', path, body, { token: null, base });
        expect(answer.status).not.toBe(503);
        return answer;
      }, 30_000);
    const names = Array.from({ length: PEOPLE }, (_, n) => `slow${n}-${Date.now()}`);
    const began = performance.now();
    const registered = await Promise.all(
      names.map((username, n) =>
        post(n, '/v1/users', {
          username,
          email: `${username}@example.org`,
          firstName: 'Slow',
          password: ChatUser.PASSWORD,
        }),
      ),
    );
    expect(performance.now() - began).toBeGreaterThan(DELAY_MS);
    expect(registered.map(({ status }) => status)).toEqual(names.map(() => 201));
    const logins = await Promise.all(
      names.map((username, n) =>
        post(n, '/v1/auth/login', { username, password: ChatUser.PASSWORD }),
      ),
    );
    expect(logins.map(({ status }) => status)).toEqual(names.map(() => 200));

    const ann = await ChatUser.create(gatewayUrls);
    const bob = await ChatUser.create(gatewayUrls);
    const { id } = await ann.direct(bob);
    expect(await bob.history(id)).toHaveLength(1);

    for (const base of gatewayUrls) {
      const health = (await (await fetch(`${base}/health/ready`)).json()) as object;
      expect(health).toMatchObject({ status: 'ok', problems: {} });
      const metrics = await (await fetch(`${base}/metrics`)).text();
      expect(metrics).not.toMatch(/^tidings_http_errors_total\{.*code="internal"/m);
    }
  });

  it('tell an operator which calls fail, since when and why, and the service stays ready', async () => {
    const [base] = stack.gatewayUrls;
    const ann = await ChatUser.create(stack.gatewayUrls);
    const storage = stack.node('storage-1');
    await storage.stop();
    try {
      const answer = await ann.http('GET', '/v1/conversations', undefined, { base });
      expect([answer.status, answer.body.code]).toEqual([503, 'unavailable']);
    } finally {
      await storage.restart();
    }
    const health = await fetch(`${base}/health/ready`);
    expect(health.status).toBe(200);
    const { failingCalls } = (await health.json()) as { failingCalls: object[] };
    expect(failingCalls).toContainEqual(
      expect.objectContaining({
        service: 'storage',
        call: 'conversations.list',
        cause: expect.stringMatching(/^unreachable: /),
      }),
    );
    const metrics = await (await fetch(`${base}/metrics`)).text();
    expect(metrics).toMatch(
      /tidings_http_errors_total\{method="GET",route="\/v1\/conversations",code="unavailable"/,
    );
    // a restarted storage has another name, and is believed at once
    const after = await ann.http('GET', '/v1/conversations', undefined, { base });
    expect(after.status).toBe(200);
    const well = (await (await fetch(`${base}/health/ready`)).json()) as { failingCalls: object[] };
    expect(well.failingCalls).not.toContainEqual(
      expect.objectContaining({ call: 'conversations.list' }),
    );
  });
});
