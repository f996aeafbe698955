import type { AddressInfo } from 'node:net';
import { Defects } from '@tidings/common/runtime/defects';
import { Readiness } from '@tidings/common/runtime/health';
import { createLogger } from '@tidings/common/runtime/logger';
import { Metrics } from '@tidings/common/runtime/metrics';
import WebSocket from 'ws';
import { ClientServer } from './client-server';

const logger = createLogger({ service: 'gateway', nodeId: 'g', level: 'silent' });

describe('the server for clients, before there are endpoints', () => {
  let clients: ClientServer;
  let url: string;
  let early = 0;

  async function open({ withHealth = true } = {}): Promise<void> {
    const metrics = new Metrics({ service: 'gateway', node: 'g' });
    const health = withHealth ? { readiness: new Readiness(), metrics } : null;
    early = 0;
    clients = new ClientServer({ health, early: () => (early += 1) });
    await clients.listen({ host: '127.0.0.1', port: 0 }, new Defects(logger, metrics));
    url = `http://127.0.0.1:${(clients.server.address() as AddressInfo).port}`;
  }
  afterEach(() => clients.close());

  it('tells that the process lives and is not ready, and its metrics', async () => {
    await open();
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    const ready = await fetch(`${url}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { status: 'not ready', problems: { process: 'starting' }, failingCalls: [] },
    ]);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('process_cpu_seconds_total');
    expect(early).toBe(0);
  });

  it('refuses calls and upgrades as unavailable, counts them, and ends each connection', async () => {
    await open();
    const call = await fetch(`${url}/v1/auth/login`, { method: 'POST', body: '{}' });
    expect(call.status).toBe(503);
    expect([call.headers.get('retry-after'), call.headers.get('connection')]).toEqual([
      '1',
      'close',
    ]);
    expect(await call.json()).toMatchObject({ code: 'unavailable', retryable: true });
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`);
    const status = await new Promise((resolve) => {
      socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
      socket.on('error', () => undefined);
    });
    expect([status, early]).toEqual([503, 2]);
  });

  it('has no health when another listener has it', async () => {
    await open({ withHealth: false });
    for (const path of ['/health/live', '/health/ready', '/metrics']) {
      expect((await fetch(url + path)).status).toBe(503);
    }
  });

  it('leaves everything to the endpoints as soon as there are any, on the same address', async () => {
    await open();
    clients.serve((_request, response) => void response.end('theirs'));
    await clients.listen({ host: '127.0.0.1', port: 0 }, undefined as never);
    expect(await (await fetch(`${url}/v1/users`)).text()).toBe('theirs');
    expect(early).toBe(0);
  });
});
