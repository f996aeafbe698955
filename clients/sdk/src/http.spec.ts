import { FakeClock, settle } from '../testing/fake-clock';
import { NetworkError, StoppedError } from './errors';
import { TidingsApi } from './api';
import { HttpClient } from './http';
import { TokenKeeper, type SavedLogin } from './tokens';

type Answer = Response | Error | (() => Promise<Response>);

const json = (status: number, body: unknown, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', ...headers },
  });
const problem = (status: number, code: string, more: object = {}): Response =>
  json(status, { type: 't', title: 't', status, detail: `about ${code}`, code, ...more });
const refused = (): Error =>
  new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code: 'ECONNREFUSED' }) });
const reset = (): Error =>
  new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code: 'ECONNRESET' }) });

/** Plays servers: gives the queued answers, and notes what was asked. */
class FakeServers {
  readonly asked: { url: string; method: string; token: string | null; body: unknown }[] = [];

  constructor(readonly answers: Answer[]) {}

  readonly fetch: typeof fetch = (input, init) => {
    const headers = new Headers(init?.headers);
    const body = typeof init?.body === 'string' ? (JSON.parse(init.body) as unknown) : undefined;
    this.asked.push({
      url: input as string,
      method: init?.method ?? 'GET',
      token: headers.get('authorization'),
      body,
    });
    const answer = this.answers.shift() ?? json(200, {});
    if (answer instanceof Error) return Promise.reject(answer);
    return typeof answer === 'function' ? answer() : Promise.resolve(answer);
  };

  urls(): string[] {
    return this.asked.map((a) => a.url);
  }
}

const SERVERS = ['http://one/', 'http://two'];

function http(...answers: Answer[]) {
  const servers = new FakeServers(answers);
  const dates: string[] = [];
  const client = new HttpClient({
    servers: SERVERS,
    fetch: servers.fetch,
    onDate: (d) => dates.push(d),
  });
  return { servers, client, dates };
}

const get = { method: 'GET', path: '/v1/me', repeatable: true } as const;
const post = { method: 'POST', path: '/v1/users', body: { a: 1 }, repeatable: false } as const;

describe('HTTP client', () => {
  it('gives the JSON of an answer, undefined without one, and reads the date', async () => {
    const { client, servers, dates } = http(
      json(200, { a: 1 }, { date: 'Sat, 21 Nov 2026 10:00:00 GMT' }),
      new Response(null, { status: 204 }),
    );
    expect(await client.request({ ...get, query: { b: 'ä&', c: undefined, n: 2 } })).toEqual({
      a: 1,
    });
    expect(await client.request(get)).toBeUndefined();
    expect(servers.urls()[0]).toBe('http://one/v1/me?b=%C3%A4%26&n=2');
    expect(dates).toEqual(['Sat, 21 Nov 2026 10:00:00 GMT']);
  });

  it('asks the next server when one cannot be reached, and stays with it', async () => {
    const { client, servers } = http(refused());
    await client.request(get);
    await client.request(get);
    expect(servers.urls()).toEqual(['http://one/v1/me', 'http://two/v1/me', 'http://two/v1/me']);
  });

  it('asks added servers when the given ones cannot be reached', async () => {
    const { client, servers } = http(refused(), refused());
    client.add(['http://three/', 'http://one']);
    await client.request(get);
    await client.request(get);
    const asked = ['one', 'two', 'three', 'three'].map((name) => `http://${name}/v1/me`);
    expect(servers.urls()).toEqual(asked);
  });

  it('forgets of many added servers those named longest ago, not the one in use', async () => {
    const { client, servers } = http(refused(), refused());
    client.add(['http://old']);
    await client.request(get);
    for (let n = 0; n < 40; n++) client.add([`http://g${n}`]);
    expect(client.server).toBe('http://old');
    servers.answers.push(...Array.from({ length: 20 }, refused));
    await expect(client.request(get)).rejects.toThrow(NetworkError);
    const asked = servers
      .urls()
      .slice(3)
      .map((url) => url.split('/')[2]);
    const latest = Array.from({ length: 16 }, (_, n) => `g${n + 24}`);
    expect(new Set(asked)).toEqual(new Set(['old', 'one', 'two', ...latest]));
    expect(asked).toHaveLength(19);
  });

  it('fails when no server can be reached', async () => {
    const { client, servers } = http(refused(), reset());
    await expect(client.request(get)).rejects.toThrow(NetworkError);
    expect(servers.asked).toHaveLength(2);
  });

  it('does not repeat what must not be repeated, unless it was never sent', async () => {
    const unknown = http(reset());
    await expect(unknown.client.request(post)).rejects.toThrow(NetworkError);
    expect(unknown.servers.asked).toHaveLength(1);
    const unsent = http(refused());
    await unsent.client.request(post);
    expect(unsent.servers.asked).toHaveLength(2);
  });

  it('leaves a server that is in trouble, after telling so', async () => {
    const { client, servers } = http(problem(503, 'busy'));
    await expect(client.request(get)).rejects.toMatchObject({ code: 'busy', retryable: true });
    await client.request(get);
    expect(servers.urls()[1]).toBe('http://two/v1/me');
  });

  it.each([
    ['a call that may be repeated', get],
    ['one that may not: nothing was carried out', post],
  ])('goes past a proxy that knows no such server: %s', async (_, call) => {
    const page = new Response('<html>no such gateway', { status: 404 });
    const { client, servers } = http(page);
    await client.request(call);
    await client.request(get);
    expect(servers.urls()).toEqual([
      `http://one${call.path}`,
      `http://two${call.path}`,
      `http://two${get.path}`,
    ]);
  });

  it('has what is not found told by a server', async () => {
    const { client, servers } = http(problem(404, 'not_found'));
    await expect(client.request(get)).rejects.toMatchObject({ code: 'not_found' });
    expect(servers.asked).toHaveLength(1);
  });

  it('fails when all are pages of proxies', async () => {
    const page = () => Promise.resolve(new Response('', { status: 404 }));
    const { client } = http(page, page);
    await expect(client.request(get)).rejects.toThrow(NetworkError);
  });

  it('stops when the caller does', async () => {
    const asking = new AbortController();
    const { client, servers } = http(() => {
      asking.abort();
      return Promise.reject(new Error('aborted'));
    });
    await expect(client.request({ ...get, signal: asking.signal })).rejects.toThrow();
    expect(servers.asked).toHaveLength(1);
  });

  it.each([
    [
      'a problem document',
      problem(409, 'username_taken'),
      'username_taken',
      'about username_taken',
    ],
    ['an unknown code', problem(429, 'from_the_future'), 'rate_limited', 'about from_the_future'],
    ['a page of a proxy', new Response('<html>', { status: 502 }), 'unavailable', undefined],
    ['a bare 401', new Response('', { status: 401 }), 'unauthorized', undefined],
    ['a bare 500', new Response('', { status: 500 }), 'internal', undefined],
    ['a bare 418', new Response('', { status: 418 }), 'invalid_request', undefined],
  ])('reads %s', async (_, response, code, detail) => {
    const { client } = http(response);
    const error = await client.request(get).catch((e: unknown) => e);
    expect(error).toMatchObject({ code, ...(detail ? { message: detail } : {}) });
  });

  it('keeps field errors and the time to wait', async () => {
    const errors = [{ path: 'email', message: 'bad' }];
    const response = json(400, { code: 'invalid_request', errors }, { 'retry-after': '3' });
    const { client } = http(response);
    await expect(client.request(get)).rejects.toMatchObject({ errors, retryAfterMs: 3000 });
  });

  it('takes an answer that is no JSON for a broken connection', async () => {
    const { client } = http(new Response('<html>', { status: 200 }));
    await expect(client.request(get)).rejects.toThrow(NetworkError);
  });
});

describe('tokens', () => {
  const user = { id: 'u', username: 'ann', firstName: 'Ann' };

  function bench(...answers: Answer[]) {
    const clock = new FakeClock();
    const servers = new FakeServers(answers);
    const client = new HttpClient({ servers: ['http://one'], fetch: servers.fetch });
    const saved: (SavedLogin | null)[] = [];
    const tokens = new TokenKeeper(client, clock, (login) => {
      saved.push(login);
    });
    const api = new TidingsApi(client, tokens);
    const pair = (n: number) => ({
      accessToken: `a${n}`,
      refreshToken: `r${n}`,
      expiresInSeconds: 900,
    });
    const begin = () => tokens.begin({ ...pair(1), deviceId: 'd', user });
    return { clock, servers, saved, tokens, api, pair, begin };
  }

  it('uses the access token while it lives', async () => {
    const { api, servers, begin } = bench();
    await begin();
    await api.me();
    expect(servers.asked[0]!.token).toBe('Bearer a1');
  });

  it('renews it once for all who need it, and keeps the new pair before it is used', async () => {
    const { api, servers, begin, clock, saved, pair } = bench();
    await begin();
    clock.advance(880_000);
    servers.answers.push(json(200, pair(2)));
    await Promise.all([api.me(), api.contacts(), api.conversations()]);
    const refreshes = servers.asked.filter((a) => a.url.endsWith('/auth/refresh'));
    expect(refreshes).toEqual([expect.objectContaining({ body: { refreshToken: 'r1' } })]);
    expect(servers.asked.filter((a) => a.token === 'Bearer a2')).toHaveLength(3);
    expect(saved.at(-1)).toMatchObject({ accessToken: 'a2', refreshToken: 'r2', deviceId: 'd' });
  });

  it.each(['token_expired', 'unauthorized'])('renews it when refused with %s', async (code) => {
    const { api, servers, begin, pair } = bench();
    await begin();
    servers.answers.push(problem(401, code), json(200, pair(2)), json(200, { id: 'u' }));
    expect(await api.me()).toEqual({ id: 'u' });
    expect(servers.asked.map((a) => a.token)).toEqual(['Bearer a1', null, 'Bearer a2']);
  });

  it('does not renew it for a wrong password', async () => {
    const { api, servers, begin } = bench();
    await begin();
    servers.answers.push(problem(401, 'bad_credentials'));
    const change = api.changePassword('wrong one', 'the next one');
    await expect(change).rejects.toMatchObject({ code: 'bad_credentials' });
    expect(servers.asked).toHaveLength(1);
  });

  it('keeps the old pair when the answer gets lost', async () => {
    const { api, servers, begin, clock, tokens, pair } = bench();
    await begin();
    clock.advance(880_000);
    servers.answers.push(reset());
    await expect(api.me()).rejects.toThrow(NetworkError);
    expect(tokens.current).toMatchObject({ refreshToken: 'r1' });
    servers.answers.push(json(200, pair(3)));
    await api.me();
    expect(tokens.current).toMatchObject({ refreshToken: 'r3' });
  });

  it('tells that the login is over', async () => {
    const { api, servers, begin } = bench();
    await begin();
    servers.answers.push(problem(401, 'token_expired'), problem(401, 'refresh_reused'));
    await expect(api.me()).rejects.toMatchObject({ code: 'refresh_reused' });
  });

  it('needs a login', async () => {
    await expect(bench().api.me()).rejects.toThrow(StoppedError);
  });

  it('does not revive a login that ended while it was renewed', async () => {
    const { servers, begin, tokens, pair, saved } = bench();
    await begin();
    let answer: (response: Response) => void = () => undefined;
    servers.answers.push(() => new Promise((resolve) => (answer = resolve)));
    const renewing = tokens.renew('a1');
    await tokens.end();
    answer(json(200, pair(2)));
    await expect(renewing).rejects.toThrow(StoppedError);
    await settle();
    expect(saved.at(-1)).toBeNull();
  });

  it('reads a whole history page by page', async () => {
    const { api, servers, begin } = bench();
    await begin();
    const page = (positions: string[], more: boolean) =>
      json(200, { items: positions.map((position) => ({ position })), more });
    servers.answers.push(page(['5', '6'], true), page(['3', '4'], true), page([], false));
    const all = await api.wholeHistory('c', 2);
    expect(all.map((m) => m.position)).toEqual(['3', '4', '5', '6']);
    expect(servers.urls()[1]).toContain('before=5&limit=2');
  });
});
