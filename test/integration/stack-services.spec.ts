import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isFree } from '../../tools/stack/ports';
import { SERVICES } from '../../tools/stack/service-plan';
import { type Stack, type StackOptions, startStack } from '../../tools/stack/stack';

/** Stands in for a compiled service: answers health, tells its environment, notes what it was asked to do. */
const SERVICE = `
const { appendFileSync } = require('node:fs');
const { NODE_ID, PORT, HOST, JOURNAL, FAIL } = process.env;
const note = (text) => appendFileSync(JOURNAL, NODE_ID + ' ' + text + '\\n');
if (process.argv[2] === 'prepare') { note('prepare'); process.exit(0); }
if (FAIL) { console.log('cannot go on'); process.exit(3); }
note('start');
process.on('SIGTERM', () => { note('stop'); process.exit(0); });
require('node:http').createServer((request, response) => {
  response.statusCode = ['/health/ready', '/env'].includes(request.url) ? 200 : 404;
  response.end(JSON.stringify(process.env));
}).listen(Number(PORT), HOST);
`;

/** The servers' own test covers them: here one real Redis is enough. */
const SERVERS = { kafka: '127.0.0.1:1', redis: true, postgres: 'postgres://nobody@127.0.0.1:1/x' };

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a stack', () => {
  let dir: string;
  let journalFile: string;
  let stack: Stack | undefined;
  const lines: string[] = [];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tidings-stack-'));
    journalFile = join(dir, 'journal');
    lines.length = 0;
    for (const service of SERVICES) {
      const folder = join(dir, 'dist', 'services');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `${service}.js`), SERVICE);
    }
  });

  afterEach(async () => {
    await stack?.stop();
    stack = undefined;
    rmSync(dir, { recursive: true, force: true });
  });

  async function start(options: Partial<StackOptions> = {}): Promise<Stack> {
    stack = await startStack({
      dir: join(dir, 'data'),
      distDir: join(dir, 'dist'),
      ports: 'free',
      servers: SERVERS,
      log: (line) => lines.push(line),
      ...options,
      env: { JOURNAL: journalFile, ...options.env },
    });
    return stack;
  }

  const journal = (): string[] => readFileSync(journalFile, 'utf8').trim().split('\n');

  async function environmentOf(url: string): Promise<Record<string, string>> {
    return (await (await fetch(`${url}/env`)).json()) as Record<string, string>;
  }

  it('prepares once, starts every instance with its settings and stops in reverse order', async () => {
    const running = await start({
      services: { storage: 2 },
      nodeEnv: { 'gateway-2': { ONLY_HERE: 'yes' } },
    });
    expect(Object.keys(running.nodes).sort()).toEqual([
      'gateway-1',
      'gateway-2',
      'presence-1',
      'session-1',
      'storage-1',
      'storage-2',
    ]);
    expect(journal()[0]).toBe('storage-1 prepare');
    expect(await environmentOf(running.node('gateway-2').url)).toMatchObject({
      NODE_ID: 'gateway-2',
      ONLY_HERE: 'yes',
      KAFKA_BROKERS: SERVERS.kafka,
      REDIS_URL: running.redis.url,
      JWT_SECRET: running.jwtSecret,
      CLUSTER_SECRET: running.clusterSecret,
      STORAGE_URLS: ['storage-1', 'storage-2'].map((id) => running.node(id).url).join(','),
      PUBLIC_URL: `ws://127.0.0.1:${running.node('gateway-2').port}/v1/ws`,
    });
    expect(await environmentOf(running.node('gateway-1').url)).not.toHaveProperty('ONLY_HERE');
    const pids = [...Object.values(running.nodes).map((node) => node.pid), running.redis.pid];
    const ports = [...Object.values(running.nodes).map((node) => node.port), running.redis.port];
    await Promise.all([running.stop(), running.stop()]);
    const stops = journal().filter((line) => line.endsWith('stop'));
    expect(stops).toHaveLength(6);
    expect(stops.slice(0, 2).sort()).toEqual(['gateway-1 stop', 'gateway-2 stop']);
    expect(pids.filter(exists)).toEqual([]);
    expect((await Promise.all(ports.map(isFree))).every(Boolean)).toBe(true);
  });

  it('kills, stops and restarts single instances, with other settings when asked', async () => {
    const running = await start();
    const gateway = running.node('gateway-1');
    const before = gateway.pid;
    await gateway.kill();
    expect(gateway.isAlive()).toBe(false);
    await gateway.restart({ ADDED: 'later' });
    expect(gateway.pid).not.toBe(before);
    await gateway.restart();
    expect(await environmentOf(gateway.url)).toMatchObject({
      ADDED: 'later',
      NODE_ID: 'gateway-1',
    });
    expect(() => running.node('gateway-9')).toThrow(/not part/);
    expect(() => running.kafka).toThrow(/not started/);
  });

  it('stops what hangs in bounded time', async () => {
    const running = await start();
    const session = running.node('session-1');
    session.signal('SIGSTOP');
    await running.stop();
    expect(exists(session.pid)).toBe(false);
  });

  it('reports an unexpected end, and repairs it only when told to', async () => {
    const restarted = jest.fn();
    const running = await start({ restart: true, onRestarted: restarted });
    const presence = running.node('presence-1');
    const before = presence.pid;
    process.kill(before, 'SIGKILL');
    while (restarted.mock.calls.length === 0) await delay(50);
    expect(presence.isAlive()).toBe(true);
    expect(presence.pid).not.toBe(before);
    expect(lines).toContainEqual(
      expect.stringMatching(/^presence-1 ended unexpectedly \(SIGKILL\).*presence-1\.log$/),
    );
  });

  it('leaves nothing behind when one service cannot start, and shows why', async () => {
    const failing = start({ nodeEnv: { 'storage-1': { FAIL: '1' } } });
    await expect(failing).rejects.toThrow(/storage-1 ended .*exit code 3[^]*cannot go on/);
    const started = journal().filter((line) => line.endsWith('start')).length;
    const stopped = journal().filter((line) => line.endsWith('stop')).length;
    expect(started - stopped).toBe(0);
  });

  it('can be called off while it starts', async () => {
    const abort = new AbortController();
    const log = (line: string): void => {
      if (line.startsWith('Tables')) abort.abort();
    };
    await expect(start({ abort: abort.signal, log })).rejects.toThrow(/stopped/);
    expect(existsSync(journalFile) && journal()).toEqual(['storage-1 prepare']);
  });

  it('says which port is taken and how to choose another', async () => {
    const running = await start();
    process.env.GATEWAY_PORT = String(running.node('gateway-1').port);
    try {
      const second = startStack({ dir: join(dir, 'second'), ports: 'default', servers: SERVERS });
      const refusal = await second.then(
        () => '',
        (error: Error) => error.message,
      );
      expect(refusal).toContain(`${process.env.GATEWAY_PORT} (gateway-1)`);
      expect(refusal).toMatch(/^ {2}GATEWAY_PORT=\d+ ADMIN_PORT_BASE=\d+ npm start$/m);
    } finally {
      delete process.env.GATEWAY_PORT;
    }
  });
});
