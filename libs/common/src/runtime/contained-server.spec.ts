import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { serverClosed } from '../../../../test/support/server-closed';
import { containServer } from './contained-server';
import { Defects } from './defects';
import { Metrics } from './metrics';

describe('an HTTP server whose listener throws', () => {
  const metrics = new Metrics({ service: 'gateway', node: 'g' });
  const lines: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  let server: Server;
  let url = '';

  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === '/now') throw new Error('now');
      if (request.url === '/promise') return Promise.reject(new Error('promise'));
      if (request.url === '/begun') {
        response.write('half');
        throw new Error('begun');
      }
      if (request.url === '/data')
        request.on('data', () => {
          throw new Error('data');
        });
      else if (request.url === '/end')
        request
          .on('end', () => {
            throw new Error('end');
          })
          .resume();
      else if (request.url === '/error')
        request.resume().emit('error', new Error('nobody listens'));
      else response.end('well');
      if (request.url === '/finish')
        response.on('finish', () => {
          throw new Error('finish');
        });
      return undefined;
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    containServer(server, new Defects(logger, metrics));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(() => serverClosed(server));

  const counted = async (place: string): Promise<number> => {
    const values = (await metrics.registry.getSingleMetric('tidings_defects_total')!.get()).values;
    return values.find(({ labels }) => labels['place'] === place)?.value ?? 0;
  };

  it.each(['/now', '/promise', '/data', '/end', '/error'])(
    '%s costs that request alone, is counted once and logged',
    async (path) => {
      const before = [await counted('request'), lines.length];
      const answer = await fetch(url + path, { method: 'POST', body: 'x' });
      expect([answer.status, answer.headers.get('content-type')]).toEqual([
        500,
        'application/problem+json',
      ]);
      await expect(answer.json()).resolves.toMatchObject({ code: 'internal', retryable: true });
      expect([await counted('request'), lines.length]).toEqual([before[0]! + 1, before[1]! + 1]);
      await expect((await fetch(`${url}/well`)).text()).resolves.toBe('well');
    },
  );

  it('cuts off an answer that has begun', async () => {
    await expect(fetch(`${url}/begun`).then((answer) => answer.text())).rejects.toThrow();
    await expect((await fetch(`${url}/well`)).text()).resolves.toBe('well');
  });

  it('lets an answer stand behind which something throws', async () => {
    const before = await counted('request');
    await expect((await fetch(`${url}/finish`)).text()).resolves.toBe('well');
    await expect((await fetch(`${url}/well`)).text()).resolves.toBe('well');
    expect(await counted('request')).toBe(before + 1);
  });

  it('goes on when a connection cannot be accepted', async () => {
    server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
    expect(await counted('listener')).toBe(1);
    await expect((await fetch(`${url}/well`)).text()).resolves.toBe('well');
  });
});
