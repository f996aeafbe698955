import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '../../../test/support/eventually';
import { serverClosed } from '../../../test/support/server-closed';
import { HttpClient } from './http';

describe('a call that came too soon, on a real server', () => {
  let server: Server;
  let client: HttpClient;
  let refusals = 0;
  let retryAfter: string | undefined;
  const asked: { path: string; at: number }[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push({ path: request.url ?? '', at: performance.now() });
      if (refusals-- > 0) {
        response.writeHead(429, retryAfter === undefined ? {} : { 'retry-after': retryAfter });
        response.end('{"code":"rate_limited","detail":"too soon"}');
      } else response.end('{"a":1}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    client = new HttpClient({ servers: [`http://127.0.0.1:${port}`] });
  });

  afterAll(() => {
    server.closeAllConnections();
    return serverClosed(server);
  });

  const refuse = (times: number, after?: string): void => {
    asked.length = 0;
    refusals = times;
    retryAfter = after;
  };
  const call = { method: 'PUT', path: '/v1/me', body: {}, repeatable: true } as const;

  it('waits as long as the server says, and asks again until it is answered', async () => {
    refuse(2, '0.2');
    await expect(client.request(call)).resolves.toEqual({ a: 1 });
    expect(asked).toHaveLength(3);
    expect(asked[2]!.at - asked[0]!.at).toBeGreaterThan(390);
  });

  it.each<[string, string | undefined, object, number | undefined]>([
    ['would end after its own time', '2', { timeoutMs: 1_000 }, 2_000],
    ['has no time to wait', undefined, {}, undefined],
    ['has a time that is no number', 'Wed, 21 Oct 2026 07:28:00 GMT', {}, undefined],
    ['must not be repeated', '1', { repeatable: false }, 1_000],
  ])('fails at once, typed, when it %s', async (_name, after, more, retryAfterMs) => {
    refuse(1, after);
    const begun = performance.now();
    const failed = client.request({ ...call, ...more });
    await expect(failed).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs });
    expect(asked).toHaveLength(1);
    expect(performance.now() - begun).toBeLessThan(900);
  });

  it('ends with its own time when the server goes on refusing', async () => {
    refuse(100, '0.1');
    const failed = client.request({ ...call, timeoutMs: 500 });
    await expect(failed).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 100 });
    expect(asked.length).toBeGreaterThan(2);
    expect(asked.length).toBeLessThan(7);
  });

  it('can be given up while it waits', async () => {
    refuse(1, '9');
    const timers = jest.spyOn(globalThis, 'setTimeout');
    try {
      const abort = new AbortController();
      const failed = client.request({ ...call, signal: abort.signal });
      const rejects = expect(failed).rejects.toThrow('enough');
      const waits = (): boolean => timers.mock.calls.some(([, ms]) => ms === 9_000);
      await eventually(() => expect(waits()).toBe(true));
      const given = performance.now();
      abort.abort(new Error('enough'));
      await rejects;
      expect(performance.now() - given).toBeLessThan(5_000);
      expect(asked).toHaveLength(1);
    } finally {
      timers.mockRestore();
    }
  });
});
