import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { metricOf } from '../support/service-report';
import { startTestStack } from '../support/test-stack';

const PEOPLE = 8;
/** What an instance finds when it wakes is carried out by then, or never. */
const WOKEN_MS = 3_000;

interface Pair {
  accessToken: string;
  refreshToken: string;
}

describe('a login or refresh that a hung process finds when it wakes', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let people: ChatUser[];

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      services: { gateway: 2, session: 1, presence: 1, storage: 2 },
    }));
    people = await Promise.all(
      Array.from({ length: PEOPLE }, () => ChatUser.create(stack.gatewayUrls)),
    );
  }, 240_000);
  afterAll(() => stop?.());

  const ask = async (gateway: number, call: string, options: RequestInit): Promise<Response> =>
    fetch(`${stack.gatewayUrls[gateway]}/v1/${call}`, options);
  const refreshAt = (gateway: number, refreshToken: string, signal?: AbortSignal) =>
    ask(gateway, 'auth/refresh', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ refreshToken }),
      ...(signal && { signal }),
    });
  /** As every client does: what is unavailable for now is asked again. */
  const served = (call: () => Promise<Response>): Promise<Response> =>
    eventually(async () => {
      const answer = await call();
      expect(answer.status).not.toBe(503);
      return answer;
    }, 30_000);
  const me = async (gateway: number, { accessToken }: Pair): Promise<number> => {
    const headers = { authorization: `Bearer ${accessToken}` };
    return (await served(() => ask(gateway, 'me', { headers }))).status;
  };

  /** A new pair for each person, which they use. */
  async function renewed(gateway: number): Promise<Pair[]> {
    return await Promise.all(
      people.map(async (person) => {
        const answer = await served(() => refreshAt(gateway, person.refreshToken));
        expect(answer.status).toBe(200);
        const pair = (await answer.json()) as Pair;
        expect(await me(gateway, pair)).toBe(200);
        return pair;
      }),
    );
  }

  /** Settles when both instances of storage are asked in turn. */
  async function turnsOfBoth(): Promise<void> {
    const calls = (): Promise<number[]> =>
      Promise.all(
        ['storage-1', 'storage-2'].map((id) =>
          metricOf(stack.node(id).url, 'internal_calls_total'),
        ),
      );
    const before = await calls();
    await eventually(async () => {
      await ask(0, 'me', { headers: { authorization: `Bearer ${people[0]!.accessToken}` } });
      (await calls()).forEach((now, n) => expect(now).toBeGreaterThan(before[n]!));
    }, 20_000);
  }

  /** All of them are still logged in: what they hold gives them a pair that works. */
  async function goOn(gateway: number, pairs: readonly Pair[]): Promise<void> {
    const next = await Promise.all(
      pairs.map(async ({ refreshToken }, n) => {
        const answer = await served(() => refreshAt(gateway, refreshToken));
        const body = (await answer.json()) as Pair;
        if (answer.status !== 200) return body;
        people[n]!.refreshToken = body.refreshToken;
        return await me(gateway, body);
      }),
    );
    expect(next).toEqual(people.map(() => 200));
  }

  it('logs nobody out who has gone on by another instance of storage', async () => {
    const silent = (): Promise<number> =>
      metricOf(
        stack.gatewayUrls[0]!,
        'internal_call_failures_total',
        'call="accounts.refresh",reason="silent"',
      );
    await turnsOfBoth();
    const asleep = stack.node('storage-1');
    asleep.signal('SIGSTOP');
    let pairs: Pair[];
    try {
      pairs = await renewed(0);
    } finally {
      asleep.signal('SIGCONT');
    }
    expect(await silent()).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, WOKEN_MS));
    await goOn(0, pairs);
  });

  it('ends nothing that another instance of storage has given', async () => {
    const login = (person: ChatUser): Promise<Response> => {
      const { username, deviceId } = person;
      const password = ChatUser.PASSWORD;
      return ask(0, 'auth/login', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ username, password, device: { id: deviceId } }),
      });
    };
    await turnsOfBoth();
    const asleep = stack.node('storage-1');
    asleep.signal('SIGSTOP');
    let pairs: Pair[];
    try {
      pairs = await Promise.all(
        people.map(async (person) => {
          const answer = await served(() => login(person));
          expect(answer.status).toBe(200);
          const pair = (await answer.json()) as Pair;
          expect(await me(0, pair)).toBe(200);
          return pair;
        }),
      );
    } finally {
      asleep.signal('SIGCONT');
    }
    await new Promise((resolve) => setTimeout(resolve, WOKEN_MS));
    await goOn(0, pairs);
  });

  it('logs nobody out who has gone on at another gateway', async () => {
    const asleep = stack.node('gateway-1');
    asleep.signal('SIGSTOP');
    let pairs: Pair[];
    try {
      const given = people.map(({ refreshToken }) =>
        refreshAt(0, refreshToken, AbortSignal.timeout(1_000)).then(
          ({ status }) => status,
          (error: Error) => error.name,
        ),
      );
      expect(await Promise.all(given)).toEqual(people.map(() => 'TimeoutError'));
      pairs = await renewed(1);
    } finally {
      asleep.signal('SIGCONT');
    }
    await new Promise((resolve) => setTimeout(resolve, WOKEN_MS));
    await goOn(1, pairs);
    expect(await metricOf(stack.gatewayUrls[0]!, 'http_bounded_total', 'reason="left"')).toBe(
      PEOPLE,
    );
  });
});
