import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { connect, createServer, type Server } from 'node:net';
import { pino } from 'pino';
import { z } from 'zod';
import { TidingsError } from '../contracts/errors';
import { RpcClient, RpcUnreachable } from './rpc-client';
import { mountRpc } from './rpc-server';

@Module({})
class EmptyModule {}

const TABLE = {
  echo: { input: z.object({ n: z.number() }), output: z.object({ n: z.number() }) },
  slow: { input: z.object({ ms: z.number() }), output: z.object({}) },
  list: {
    input: z.object({ texts: z.array(z.string()) }),
    output: z.object({ parts: z.array(z.array(z.instanceof(Uint8Array))), count: z.number() }),
    bytes: 'parts',
  },
  fails: { input: z.object({}), output: z.object({}) },
};
const secret = 'a-secret-of-the-cluster';

describe('internal calls', () => {
  let app: NestExpressApplication;
  let url: string;
  const clients: { close(): void }[] = [];
  const client = (urls: string[], key = secret): RpcClient<typeof TABLE> => {
    const made = new RpcClient(TABLE, { urls, nodeId: 'test-1', secret: key });
    clients.push(made);
    return made;
  };

  beforeAll(async () => {
    app = await NestFactory.create<NestExpressApplication>(EmptyModule, {
      logger: false,
      bodyParser: false,
    });
    mountRpc(app, {
      table: TABLE,
      secret,
      logger: pino({ level: 'silent' }),
      handlers: {
        echo: async ({ n }) => ({ n }),
        slow: ({ ms }) => new Promise((resolve) => setTimeout(() => resolve({}), ms)),
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
    await app.listen(0, '127.0.0.1');
    url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
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
    await expect(client([url], 'other').call('echo', { n: 1 })).rejects.toMatchObject({
      code: 'unauthorized',
    });
  });

  it('waits for a slow answer of a live node', async () => {
    await expect(client([url]).call('slow', { ms: 500 })).resolves.toEqual({});
    await expect(client([url]).call('slow', { ms: 900 }, { timeoutMs: 400 })).rejects.toMatchObject(
      { code: 'unavailable' },
    );
  });

  it('goes to another node when one hangs or is gone, and skips the hung one', async () => {
    const hung: Server = createServer(() => undefined);
    await new Promise<void>((resolve) => hung.listen(0, '127.0.0.1', resolve));
    const address = hung.address() as { port: number };
    const calls = client([`http://127.0.0.1:${address.port}`, url]);
    const began = performance.now();
    for (let n = 0; n < 6; n++) await expect(calls.call('echo', { n })).resolves.toEqual({ n });
    expect(performance.now() - began).toBeLessThan(900);
    hung.close();
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
