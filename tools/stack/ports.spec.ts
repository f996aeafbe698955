import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts, isFree, rememberedPorts } from './ports';

function listenOn(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

describe('ports', () => {
  let dir: string;
  let file: string;
  const taken: Server[] = [];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tidings-ports-'));
    file = join(dir, 'ports.json');
  });

  afterEach(() => {
    for (const server of taken.splice(0)) server.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('finds different free ports', async () => {
    const ports = await freePorts(5);
    expect(new Set(ports).size).toBe(5);
    // below the ports of outgoing connections
    expect(Math.max(...ports)).toBeLessThan(32_768);
    expect(await Promise.all(ports.map(isFree))).toEqual([true, true, true, true, true]);
  });

  it('leaves out what is taken', async () => {
    const [one = 0] = await freePorts(1);
    const around = [1, 2, 3].map((more) => one + more).filter((port) => port % 500 !== 0);
    for (const port of around) if (await isFree(port)) taken.push(await listenOn(port));
    const ports = await freePorts(5);
    expect(ports.filter((port) => around.includes(port))).toEqual([]);
  });

  it('sees that a port is taken', async () => {
    const [port = 0] = await freePorts(1);
    taken.push(await listenOn(port));
    expect(await isFree(port)).toBe(false);
  });

  it('remembers ports over restarts', async () => {
    const first = await rememberedPorts(file, ['kafka', 'redis']);
    expect(await rememberedPorts(file, ['kafka', 'redis'])).toEqual(first);
  });

  it('chooses another port where the remembered one is taken, and keeps the rest', async () => {
    const first = await rememberedPorts(file, ['kafka', 'redis']);
    taken.push(await listenOn(first.kafka ?? 0));
    const second = await rememberedPorts(file, ['kafka', 'redis']);
    expect(second.kafka).not.toBe(first.kafka);
    expect(second.redis).toBe(first.redis);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(second);
  });

  it.each(['', 'no json', '[]', '{"kafka":"x"}', '{"kafka":80}', '{"kafka":70000}'])(
    'starts afresh from a file that holds %j',
    async (text) => {
      writeFileSync(file, text);
      const { kafka = 0 } = await rememberedPorts(file, ['kafka']);
      expect(kafka).toBeGreaterThan(1023);
    },
  );
});
