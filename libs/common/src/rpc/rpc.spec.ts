import 'reflect-metadata';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { z } from 'zod';
import { serverClosed } from '../../../../test/support/server-closed';
import { TidingsError } from '@tidings/protocol/errors';
import type { Instance } from './addresses';
import { CallWatch } from './call-watch';
import { CLUSTER_HEADER, signCall } from './credentials';
import { Defects } from '../runtime/defects';
import { Readiness } from '../runtime/health';
import { InnerListener } from '../runtime/inner-listener';
import { Metrics } from '../runtime/metrics';
import { RpcClient, RpcUnreachable } from './rpc-client';
import { answerCalls, callsComeLater, RPC_PREFIX } from './rpc-server';

const TABLE = {
  echo: { input: z.object({ n: z.number() }), output: z.object({ n: z.number() }) },
  set: { input: z.object({ n: z.number() }), output: z.object({}), ordered: true as const },
  slow: { input: z.object({ ms: z.number() }), output: z.object({ ms: z.number() }) },
  slowlyFails: { input: z.object({ ms: z.number() }), output: z.object({}) },
  slowList: {
    input: z.object({ texts: z.array(z.string()), ms: z.number() }),
    output: z.object({ parts: z.array(z.array(z.instanceof(Uint8Array))) }),
    bytes: 'parts',
  },
  list: {
    input: z.object({ texts: z.array(z.string()) }),
    output: z.object({ parts: z.array(z.array(z.instanceof(Uint8Array))), count: z.number() }),
    bytes: 'parts',
  },
  fails: { input: z.object({}), output: z.object({}) },
};
const secret = 'a-secret-of-the-cluster';

interface Node {
  url: string;
  port: number;
  metrics: Metrics;
  /** How often `echo` was carried out. */
  echoes: number;
  /** What `set` has set, in this order. */
  sets: number[];
  close(): Promise<void>;
}

/** An instance that answers the calls of the table; port 0: any. */
async function startNode(port: number): Promise<Node> {
  const metrics = new Metrics({ service: 'test', node: 'node-1' });
  const logger = pino({ level: 'silent' });
  const close = () => listener.close();
  const node: Node = { url: '', port, metrics, echoes: 0, sets: [], close };
  const calls = answerCalls({
    table: TABLE,
    nodeId: 'node-1',
    secret,
    logger,
    metrics,
    handlers: {
      echo: async ({ n }) => {
        node.echoes += 1;
        return { n };
      },
      set: async ({ n }) => {
        node.sets.push(n);
        return {};
      },
      slow: async ({ ms }) => {
        if (ms > 0) await pause(ms);
        return { ms };
      },
      slowlyFails: async ({ ms }) => {
        await pause(ms);
        throw new TidingsError('busy', { detail: 'full' });
      },
      slowList: async ({ texts, ms }) => {
        await pause(ms);
        return { parts: texts.map((text) => [Buffer.from(text)]) };
      },
      list: async ({ texts }) => {
        if (texts.length > 3) throw new TidingsError('busy', { detail: 'too many' });
        const half = (text: string) => Math.floor(text.length / 2);
        const parts = texts.map((text) => [
          Buffer.from(text.slice(0, half(text))),
          Buffer.from(text.slice(half(text))),
        ]);
        return { parts, count: texts.length };
      },
      fails: async () => {
        throw new TidingsError('busy', { detail: 'full', retryAfterMs: 7 });
      },
    },
  });
  const health = { readiness: new Readiness(), metrics };
  const defects = new Defects(logger, metrics);
  const at = { host: '127.0.0.1', port };
  const listener = await InnerListener.open(at, { health, defects, calls });
  node.port = Number(new URL(listener.url).port);
  node.url = `http://127.0.0.1:${node.port}`;
  return node;
}

describe('internal calls', () => {
  let app: Node;
  let url: string;
  const clients: { close(): void }[] = [];
  const client = (urls: string[], key = secret): RpcClient<typeof TABLE> => {
    const made = new RpcClient(TABLE, { urls, nodeId: 'test-1', secret: key });
    clients.push(made);
    return made;
  };

  beforeAll(async () => {
    app = await startNode(0);
    url = app.url;
  });

  afterAll(async () => {
    clients.forEach((c) => c.close());
    await app.close();
  });

  it('answers with the parsed output', async () => {
    await expect(client([url]).call('echo', { n: 4 })).resolves.toEqual({ n: 4 });
  });

  it('carries bytes as they are, beside the other fields', async () => {
    const texts = ['{"a":"line\nfeed"}', '', 'Grüße 👋', '\n\n'];
    for (let count = 0; count <= 3; count++) {
      const asked = texts.slice(0, count);
      const { parts, ...others } = await client([url]).call('list', { texts: asked });
      expect(parts.map((part) => Buffer.concat(part).toString('utf8'))).toEqual(asked);
      expect(others).toEqual({ count });
    }
    const long = ['x'.repeat(300_000), 'é'.repeat(200_000)];
    const { parts } = await client([url]).call('list', { texts: long });
    expect(parts.map((part) => Buffer.concat(part).toString('utf8'))).toEqual(long);
    await expect(client([url]).call('list', { texts })).rejects.toMatchObject({ code: 'busy' });
  });

  it('carries a typed error across', async () => {
    await expect(client([url]).call('fails', {})).rejects.toMatchObject({
      code: 'busy',
      message: 'full',
      retryAfterMs: 7,
    });
  });

  it('refuses a bad input and a bad secret', async () => {
    const wrong = { n: 'x' } as unknown as { n: number };
    await expect(client([url]).call('echo', wrong)).rejects.toMatchObject({
      code: 'invalid_request',
    });
    // what a service is told of its own credentials is no word to the user it works for
    const refused = client([url], 'other').call('echo', { n: 1 });
    await expect(refused).rejects.toBeInstanceOf(RpcUnreachable);
    await expect(refused).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('waits for a slow answer of a live node', async () => {
    await expect(client([url]).call('slow', { ms: 500 })).resolves.toEqual({ ms: 500 });
    await expect(client([url]).call('slow', { ms: 900 }, { timeoutMs: 400 })).rejects.toMatchObject(
      { code: 'unavailable' },
    );
  });

  it('answers whole when it is slow, again and again on one connection', async () => {
    const calls = client([url]);
    const texts = ['x'.repeat(100_000), 'é'];
    for (const ms of [30, 45, 49, 50, 51, 55, 70, 120]) {
      await expect(calls.call('slow', { ms })).resolves.toEqual({ ms });
      const { parts } = await calls.call('slowList', { texts, ms });
      expect(parts.map((part) => Buffer.concat(part).toString('utf8'))).toEqual(texts);
      await expect(calls.call('slowlyFails', { ms })).rejects.toMatchObject({ code: 'busy' });
    }
    const many = Array.from({ length: 30 }, (_, n) => calls.call('slow', { ms: 60 + n }));
    await expect(Promise.all(many)).resolves.toHaveLength(30);
  });

  it('says how long an answer is, also of one that it has announced', async () => {
    for (const ms of [0, 100]) {
      const { head, body } = await rawAnswer(url, 'slow', JSON.stringify({ ms }));
      expect(head.startsWith('HTTP/1.1 102 Processing\r\n\r\n')).toBe(ms > 0);
      expect(head.toLowerCase()).not.toContain('transfer-encoding');
      expect(Number(/content-length: ([0-9]+)/i.exec(head)?.[1])).toBe(body.length);
      expect(JSON.parse(body)).toEqual({ ok: { ms } });
    }
  });

  it('takes an answer that is empty, cut or no answer as an unknown outcome', async () => {
    const whole = '{"ok":{"n":1}}';
    const answers = [
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      `HTTP/1.1 200 OK\r\nContent-Length: ${whole.length}\r\n\r\n${whole.slice(0, 5)}`,
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n${whole.slice(0, 5)}\r\n`,
      ...[whole.slice(0, -1), 'null', '{}', '[]', '{"error":{}}', '"text"'].map(
        (text) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
      ),
      'HTTP/1.1 102 Processing\r\n\r\n',
      '',
    ];
    for (const answer of answers) {
      const broken = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => socket.end(answer));
      });
      await new Promise<void>((resolve) => broken.listen(0, '127.0.0.1', resolve));
      const { port } = broken.address() as { port: number };
      const at = `http://127.0.0.1:${port}`;
      const failure = client([at]).call('echo', { n: 1 });
      await expect(failure).rejects.toBeInstanceOf(RpcUnreachable);
      // another node's answer counts instead
      await expect(client([at, url]).call('echo', { n: 2 })).resolves.toEqual({ n: 2 });
      await serverClosed(broken);
    }
  });

  it('takes a call once: a captured one is refused by its receiver, by others and by the next run', async () => {
    const other = await startNode(0);
    const captured = await record(url);
    try {
      await expect(client([captured.url]).call('echo', { n: 7 })).resolves.toEqual({ n: 7 });
      const echoes = app.echoes;
      const call = captured.requests().at(-1)!;
      expect(call).toContain('/internal/echo');
      for (const at of [url, url, other.url]) {
        expect(await sendRaw(at, call)).toMatch(/^HTTP\/1.1 401 /);
      }
      // another body, path, receiver, number or time under the same proof
      const changes: [RegExp, string][] = [
        [/"n":7/, '"n":8'],
        [/\/internal\/echo/, '/internal/slow'],
        [/(tidings-cluster: [^.]+\.)[^.]+/i, '$1node-1-0'],
        [/(tidings-cluster: [^.]+\.[^.]+\.)[0-9]+/i, '$1999'],
        [/(tidings-cluster: (?:[^.]+\.){3})[0-9]+/i, `$1${Date.now() + 5}`],
      ];
      for (const [part, changed] of changes) {
        expect(call).toMatch(part);
        expect(await sendRaw(url, call.replace(part, changed))).toMatch(/^HTTP\/1.1 401 /);
      }
      expect([app.echoes, other.echoes]).toEqual([echoes, 0]);
      const port = other.port;
      const first = client([other.url]);
      await first.call('echo', { n: 1 });
      await other.close();
      const next = await startNode(port);
      await expect(first.call('echo', { n: 2 })).resolves.toEqual({ n: 2 });
      expect(await sendRaw(next.url, call)).toMatch(/^HTTP\/1.1 401 /);
      expect(next.echoes).toBe(1);
      await next.close();
      const text = await app.metrics.registry.getSingleMetricAsString(
        'tidings_internal_calls_refused_total',
      );
      expect(text).toMatch(/reason="repeated".* 2$/m);
    } finally {
      clients.splice(0).forEach((c) => c.close());
      await captured.close();
    }
  });

  it('reaches nodes behind one address', async () => {
    const other = await startNode(0);
    let turn = 0;
    const balancer = createServer((socket) => {
      const to = [app, other][turn++ % 2]!;
      const through = connect(to.port, '127.0.0.1');
      socket.pipe(through).pipe(socket);
      through.on('error', () => socket.destroy());
      socket.on('error', () => through.destroy());
    });
    await new Promise<void>((resolve) => balancer.listen(0, '127.0.0.1', resolve));
    const { port } = balancer.address() as { port: number };
    const calls = client([`http://127.0.0.1:${port}`]);
    try {
      for (let n = 0; n < 10; n++) await expect(calls.call('echo', { n })).resolves.toEqual({ n });
      const many = Array.from({ length: 6 }, (_, n) => calls.call('echo', { n }));
      await expect(Promise.all(many)).resolves.toHaveLength(6);
    } finally {
      clients.splice(0).forEach((c) => c.close());
      await serverClosed(balancer);
      await other.close();
    }
  });

  it('tells which calls fail, where, and when they work again', async () => {
    const metrics = new Metrics({ service: 'test', node: 'test-1' });
    const watch = new CallWatch(metrics, pino({ level: 'silent' }));
    const options = { nodeId: 'test-1', secret, report: watch.of('service') };
    const calls = new RpcClient(TABLE, { ...options, urls: ['http://127.0.0.1:1', url] });
    const late = new RpcClient(TABLE, { ...options, urls: [url] });
    const stranger = new RpcClient(TABLE, { ...options, urls: [url], secret: 'other' });
    clients.push(calls, late, stranger);
    await calls.call('echo', { n: 1 });
    await expect(late.call('slow', { ms: 300 }, { timeoutMs: 100 })).rejects.toThrow();
    await expect(calls.call('fails', {})).rejects.toThrow();
    await expect(stranger.call('echo', { n: 1 })).rejects.toThrow();
    const failing = () => watch.list().map(({ node, call, cause }) => [node, call, cause]);
    const { host } = new URL(url);
    expect(failing()).toEqual([
      ['127.0.0.1:1', 'echo', expect.stringMatching(/^unreachable: .*ECONNREFUSED/)],
      [host, 'slow', 'late: no answer within 100 ms'],
      [host, 'fails', 'error: busy: full'],
      [host, 'echo', expect.stringMatching(/^refused: status 401/)],
    ]);
    await late.call('slow', { ms: 1 });
    await late.call('echo', { n: 1 });
    expect(failing().map(([node, call]) => `${node} ${call}`)).toEqual([
      '127.0.0.1:1 echo',
      `${host} fails`,
    ]);
    const errors = await app.metrics.registry.getSingleMetricAsString(
      'tidings_internal_call_errors_total',
    );
    expect(errors).toContain('call="fails",code="busy"');
  });

  it('goes to another node when one hangs or is gone, and skips the hung one', async () => {
    const held: Socket[] = [];
    const hung: Server = createServer((socket) => held.push(socket));
    await new Promise<void>((resolve) => hung.listen(0, '127.0.0.1', resolve));
    const address = hung.address() as { port: number };
    const calls = client([`http://127.0.0.1:${address.port}`, url]);
    const began = performance.now();
    for (let n = 0; n < 6; n++) await expect(calls.call('echo', { n })).resolves.toEqual({ n });
    expect(performance.now() - began).toBeLessThan(900);
    // it reads nothing, not even that its caller has gone
    for (const socket of held) socket.destroy();
    hung.close();
  });

  it('goes to another node while one is starting, and skips that one for a moment', async () => {
    let asked = 0;
    const metrics = new Metrics({ service: 'test', node: 'node-2' });
    const starting = await InnerListener.open(
      { host: '127.0.0.1', port: 0 },
      {
        health: { readiness: new Readiness(), metrics },
        defects: new Defects(pino({ level: 'silent' }), metrics),
        calls: (request, response) => {
          asked += 1;
          return callsComeLater(request, response);
        },
      },
    );
    const both = client([starting.url, url]);
    for (let n = 0; n < 6; n++) {
      await expect(both.call('echo', { n })).resolves.toEqual({ n });
    }
    expect(asked).toBe(1);
    await expect(client([starting.url]).call('echo', { n: 1 })).rejects.toMatchObject({
      code: 'unavailable',
    });
    await starting.close();
  });

  it('does not ask another node, too, for what a later call may set back', async () => {
    const held: Socket[] = [];
    const hung: Server = createServer((socket) => held.push(socket));
    await new Promise<void>((resolve) => hung.listen(0, '127.0.0.1', resolve));
    const address = hung.address() as { port: number };
    const calls = client([`http://127.0.0.1:${address.port}`, url]);
    const sets = app.sets.length;
    const call = calls.call('set', { n: 1 }, { timeoutMs: 600 });
    await expect(call).rejects.toBeInstanceOf(RpcUnreachable);
    expect(app.sets).toHaveLength(sets);
    // the next one goes elsewhere at once
    await calls.call('set', { n: 2 }, { timeoutMs: 600 });
    expect(app.sets.slice(sets)).toEqual([2]);
    for (const socket of held) socket.destroy();
    hung.close();
  });

  it('does not carry that out for a caller that has gone', async () => {
    // delivers a call when its caller has given up, as a process does that was stopped
    let delivered!: () => void;
    const delivery = new Promise<void>((resolve) => (delivered = resolve));
    const late = createServer({ allowHalfOpen: true }, (socket) => {
      const chunks: Buffer[] = [];
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.on('close', () => {
        const through = connect(Number(new URL(url).port), '127.0.0.1');
        through.end(Buffer.concat(chunks));
        through.resume().on('close', delivered);
      });
      socket.on('end', () => socket.destroy());
    });
    await new Promise<void>((resolve) => late.listen(0, '127.0.0.1', resolve));
    const { port } = late.address() as { port: number };
    const lateUrl = `http://127.0.0.1:${port}`;
    const calls = client([lateUrl]);
    calls['node'](lateUrl).receiver = await nameOf(url);
    const sets = app.sets.length;
    const call = calls.call('set', { n: 3 }, { timeoutMs: 100 });
    await expect(call).rejects.toBeInstanceOf(RpcUnreachable);
    await delivery;
    expect(app.sets.slice(sets)).toEqual([]);
    const text = await app.metrics.registry.getSingleMetricAsString(
      'tidings_internal_calls_refused_total',
    );
    expect(text).toMatch(/reason="left".* 1$/m);
    late.close();
  });

  describe('whose instances are listed', () => {
    let b: Node;
    let c: Node;
    beforeAll(async () => {
      [b, c] = [await startNode(0), await startNode(0)];
    });
    afterAll(async () => {
      await Promise.all([b.close(), c.close()]);
    });

    const ready = ({ url: at }: Node) => ({ url: at, state: 'ready' as const });
    const joining = ({ url: at }: Node) => ({ url: at, state: 'joining' as const });
    const draining = ({ url: at }: Node) => ({ url: at, state: 'draining' as const });

    /** Calls of a client by instance, of so many. */
    async function shares(instances: Instance[], known = true, count = 30): Promise<number[]> {
      const nodes = [app, b, c];
      const before = nodes.map((node) => node.echoes);
      const options = { urls: [url], nodeId: 'test-1', secret, listed: () => listed };
      const listed = { known, instances };
      const made = new RpcClient(TABLE, options);
      for (let n = 0; n < count; n++) await made.call('echo', { n });
      made.close();
      return nodes.map((node, i) => node.echoes - before[i]!);
    }

    it('asks those that are ready in turn, also one that no setting names', async () => {
      expect(await shares([ready(app), ready(b), ready(c)])).toEqual([10, 10, 10]);
      expect(await shares([ready(b), ready(c)])).toEqual([0, 15, 15]);
    });

    it('asks nobody who joins or drains while another one is ready', async () => {
      expect(await shares([ready(app), joining(b), draining(c)])).toEqual([30, 0, 0]);
      expect(await shares([draining(app), joining(b), draining(c)])).toEqual([0, 30, 0]);
    });

    it('goes by the settings and by what was listed before when Redis is away', async () => {
      expect(await shares([ready(b)], false)).toEqual([15, 15, 0]);
    });

    it('gets an answer where the listed address leads nowhere', async () => {
      const nowhere = { url: 'http://127.0.0.1:1', state: 'ready' as const };
      expect(await shares([nowhere])).toEqual([30, 0, 0]);
    });
  });

  it('asks again when a kept connection has been closed meanwhile', async () => {
    let answers = 0;
    const forgetful = createServer((socket) => {
      // the second call on a connection finds it closed
      socket.once('data', () => {
        answers += 1;
        const body = JSON.stringify({ ok: { n: answers } });
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        socket.once('data', () => socket.resetAndDestroy());
      });
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => forgetful.listen(0, '127.0.0.1', resolve));
    const { port } = forgetful.address() as { port: number };
    const calls = client([`http://127.0.0.1:${port}`]);
    for (let n = 1; n <= 3; n++) await expect(calls.call('echo', { n })).resolves.toEqual({ n });
    clients.splice(0).forEach((c) => c.close());
    forgetful.close();
  });

  it('waits for a node that is late when there is no other', async () => {
    const late = createServer((socket) => {
      socket.pause();
      setTimeout(() => {
        const through = connect(Number(new URL(url).port), '127.0.0.1');
        socket.pipe(through).pipe(socket);
        through.on('error', () => socket.destroy());
        socket.on('error', () => through.destroy());
      }, 500);
    });
    await new Promise<void>((resolve) => late.listen(0, '127.0.0.1', resolve));
    const { port } = late.address() as { port: number };
    await expect(client([`http://127.0.0.1:${port}`]).call('echo', { n: 1 })).resolves.toEqual({
      n: 1,
    });
    clients.splice(0).forEach((c) => c.close());
    late.close();
  });

  it('says unavailable when no node is there', async () => {
    await expect(client(['http://127.0.0.1:1']).call('echo', { n: 1 })).rejects.toBeInstanceOf(
      RpcUnreachable,
    );
  });
});

/** The name that calls to a node are signed for. */
async function nameOf(url: string): Promise<string> {
  const path = `${RPC_PREFIX}echo`;
  const now = Date.now();
  const call = { caller: 'raw', receiver: '', number: now, atMs: now, path, body: '{}' };
  const named = await sendRaw(
    url,
    `POST ${path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n` +
      `${CLUSTER_HEADER}: ${signCall(secret, call)}\r\nContent-Length: 2\r\n\r\n{}`,
  );
  return /x-tidings-receiver: ([A-Za-z0-9-]+)/i.exec(named)?.[1] ?? '';
}

/** What a node sends for one call, as it is on the wire. */
async function rawAnswer(
  url: string,
  name: string,
  body: string,
): Promise<{ head: string; body: string }> {
  const path = RPC_PREFIX + name;
  const call = (receiver: string): string => {
    const atMs = Date.now();
    const proof = signCall(secret, { caller: 'raw', receiver, number: atMs, atMs, path, body });
    return (
      `POST ${path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n` +
      `${CLUSTER_HEADER}: ${proof}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    );
  };
  const receiver = await nameOf(url);
  const text = await sendRaw(url, call(receiver));
  const end = text.lastIndexOf('\r\n\r\n');
  return { head: text.slice(0, end), body: text.slice(end + 4) };
}

/** Sends one request as it is; gives everything up to the end of the connection. */
async function sendRaw(url: string, request: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(request.replace(/connection: keep-alive/i, 'Connection: close'));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** Passes connections on, and keeps the requests that went through. */
async function record(
  url: string,
): Promise<{ url: string; requests: () => string[]; close: () => Promise<void> }> {
  let sent = '';
  const server = createServer((socket) => {
    const through = connect(Number(new URL(url).port), '127.0.0.1');
    socket.on('data', (chunk) => (sent += chunk.toString('utf8')));
    socket.pipe(through).pipe(socket);
    through.on('error', () => socket.destroy());
    socket.on('error', () => through.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => sent.split(/(?=POST \/internal)/),
    close: () => serverClosed(server),
  };
}
