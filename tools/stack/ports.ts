import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:net';
import { dirname } from 'node:path';

const LOOPBACK = '127.0.0.1';

function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Whether nothing listens on this loopback port. */
export async function isFree(port: number): Promise<boolean> {
  const server = await listen(port);
  if (server === undefined) return false;
  await close(server);
  return true;
}

/**
 * Ports are chosen below those that systems give to outgoing connections (Linux: from 32768, RFC 6335:
 * from 49152): one of those may be taken by any connection between the choice and its use.
 */
const FIRST_PORT = 20_000;
const SLICES = 24;
const SLICE_PORTS = 500;

/** Test workers, which choose at the same time, choose from slices of their own, other runs from others. */
const worker = process.env['JEST_WORKER_ID'];
const slice = (worker === undefined ? process.pid : Number(worker) + process.ppid * 5) % SLICES;
let next = Math.floor(Math.random() * SLICE_PORTS);

/** `count` different ports that nobody listens on at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let tried = 0; ports.length < count; tried++) {
    if (tried === SLICE_PORTS) throw new Error('no free port on the loopback interface');
    const port = FIRST_PORT + slice * SLICE_PORTS + (next++ % SLICE_PORTS);
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

function remembered(file: string): Record<string, number> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null) return {};
    const entries = Object.entries(parsed).filter(
      (entry): entry is [string, number] =>
        Number.isInteger(entry[1]) && entry[1] > 1023 && entry[1] < 65536,
    );
    return Object.fromEntries(entries);
  } catch {
    return {};
  }
}

/**
 * A free port for each name, the one of the last time where it is still free, so that addresses stay the same over
 * restarts. The choice is kept in `file`.
 */
export async function rememberedPorts(
  file: string,
  names: readonly string[],
): Promise<Record<string, number>> {
  const known = remembered(file);
  const chosen: Record<string, number> = {};
  for (const name of names) {
    const last = known[name];
    const usable =
      last !== undefined && !Object.values(chosen).includes(last) && (await isFree(last));
    chosen[name] = usable ? last : await unusedBy(chosen);
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...known, ...chosen }, null, 2)}\n`, { mode: 0o600 });
  return chosen;
}

async function unusedBy(chosen: Record<string, number>): Promise<number> {
  const taken = new Set(Object.values(chosen));
  for (;;) {
    const [port] = await freePorts(1);
    if (port !== undefined && !taken.has(port)) return port;
  }
}
