import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';

/** Port of Node's inspector when a process opens it on SIGUSR1. */
const DEFAULT_PORT = 9229;
const OPEN_TIMEOUT_MS = 5000;
const CALL_TIMEOUT_MS = 30_000;
const POLL_MS = 50;
/** TCP_LISTEN in /proc/net/tcp. */
const LISTEN = '0A';

/**
 * Makes Node processes collect their garbage, from outside and without any provision in them:
 * SIGUSR1 opens Node's inspector on loopback (Node documentation, "Signal events"), the Chrome
 * DevTools Protocol has `HeapProfiler.collectGarbage`, and the inspector is closed again.
 */
export async function collectGarbage(pid: number): Promise<void> {
  const before = listeningPorts(pid);
  process.kill(pid, 'SIGUSR1');
  const port = await newPort(pid, before);
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const url = targets[0]?.webSocketDebuggerUrl;
  if (!url) throw new Error(`the inspector of process ${pid} names no target`);
  const session = await InspectorSession.open(url);
  try {
    await session.call('HeapProfiler.enable');
    // what the first pass frees may hold on to more: finalizers run between them
    for (let pass = 0; pass < 3; pass++) {
      await session.call('HeapProfiler.collectGarbage');
      await delay(200);
    }
    await session.call('HeapProfiler.disable');
    await session.call('Runtime.evaluate', {
      // `require` exists only while this expression runs; `close` waits until we are gone
      expression: `((inspector) => void setTimeout(() => inspector.close(), 100))(require('node:inspector'))`,
      includeCommandLineAPI: true,
    });
  } finally {
    session.close();
  }
  await untilClosed(pid, port);
}

async function newPort(pid: number, before: ReadonlySet<number>): Promise<number> {
  for (let waited = 0; waited < OPEN_TIMEOUT_MS; waited += POLL_MS) {
    const fresh = [...listeningPorts(pid)].filter((port) => !before.has(port));
    const port = fresh.includes(DEFAULT_PORT) ? DEFAULT_PORT : fresh[0];
    if (port !== undefined) return port;
    await delay(POLL_MS);
  }
  throw new Error(
    `process ${pid} opened no inspector: is port ${DEFAULT_PORT} taken by another program?`,
  );
}

async function untilClosed(pid: number, port: number): Promise<void> {
  for (let waited = 0; waited < OPEN_TIMEOUT_MS; waited += POLL_MS) {
    if (!listeningPorts(pid).has(port)) return;
    await delay(POLL_MS);
  }
}

/** Ports that a process listens on (IPv4), from /proc. */
function listeningPorts(pid: number): Set<number> {
  const inodes = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const match = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`));
      if (match) inodes.add(match[1]!);
    } catch {
      // closed meanwhile
    }
  }
  const ports = new Set<number>();
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (fields[3] !== LISTEN || !inodes.has(fields[9] ?? '')) continue;
    ports.add(Number.parseInt(fields[1]!.split(':')[1]!, 16));
  }
  return ports;
}

interface Answer {
  id?: number;
  error?: { message: string };
}

/** A session of the Chrome DevTools Protocol. */
class InspectorSession {
  private nextId = 1;
  private readonly waiting = new Map<number, (answer: Answer) => void>();

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => {
      const answer = JSON.parse(data.toString('utf8')) as Answer;
      if (answer.id !== undefined) this.waiting.get(answer.id)?.(answer);
    });
  }

  static open(url: string): Promise<InspectorSession> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, { handshakeTimeout: OPEN_TIMEOUT_MS });
      socket.once('open', () => resolve(new InspectorSession(socket)));
      socket.on('error', reject);
    });
  }

  /** Calls a method; rejects with its error, or after 30 s. */
  call(method: string, params: object = {}): Promise<void> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method}: no answer`)), CALL_TIMEOUT_MS);
      this.waiting.set(id, ({ error }) => {
        clearTimeout(timer);
        this.waiting.delete(id);
        if (error) reject(new Error(`${method}: ${error.message}`));
        else resolve();
      });
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }

  close(): void {
    this.socket.terminate();
  }
}
