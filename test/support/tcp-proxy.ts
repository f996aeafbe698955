import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';

/** What happens to the bytes of one direction. */
export interface DirectionFaults {
  /** Delay in milliseconds, plus up to `jitterMs` more; the order is kept. */
  delayMs: number;
  jitterMs: number;
  /** Bytes are held back, as in a network partition; they arrive after `heal`. */
  blackhole: boolean;
}

/** Faults that cut connections, as probabilities per chunk that a client sends (about a request). */
export interface CutFaults {
  /** The chunk is not forwarded. */
  beforeRequest: number;
  /** The chunk is forwarded, its answer is lost: the client cannot know the outcome. */
  afterRequest: number;
}

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const NO_FAULTS: DirectionFaults = { delayMs: 0, jitterMs: 0, blackhole: false };

/** One direction of a connection: applies the faults in force when a chunk arrives. */
class Flow {
  private due = 0;
  private held: Buffer[] = [];
  private closed = false;

  constructor(
    private readonly to: Socket,
    private readonly faults: DirectionFaults,
    private readonly random: () => number,
  ) {}

  send(chunk: Buffer): void {
    if (this.faults.blackhole) {
      this.held.push(chunk);
      return;
    }
    const { delayMs, jitterMs } = this.faults;
    if (delayMs === 0 && jitterMs === 0 && this.due <= Date.now()) {
      this.write(chunk);
      return;
    }
    this.due = Math.max(this.due, Date.now() + delayMs + this.random() * jitterMs);
    setTimeout(() => this.write(chunk), this.due - Date.now()).unref();
  }

  release(): void {
    const held = this.held;
    this.held = [];
    for (const chunk of held) this.send(chunk);
  }

  close(): void {
    this.closed = true;
    this.held = [];
  }

  private write(chunk: Buffer): void {
    if (!this.closed && this.to.writable) this.to.write(chunk);
  }
}

interface Pair {
  client: Socket;
  server: Socket;
  flows: Flow[];
}

/**
 * A TCP proxy on loopback that injects faults, repeatable by seed. Change `toServer`, `toClient` and
 * `cuts` at any time; they act on existing connections too.
 */
export class TcpProxy {
  readonly toServer: DirectionFaults = { ...NO_FAULTS };
  readonly toClient: DirectionFaults = { ...NO_FAULTS };
  readonly cuts: CutFaults = { beforeRequest: 0, afterRequest: 0 };
  /** Connections cut so far by `cuts`. */
  cutCount = 0;
  private readonly pairs = new Set<Pair>();
  private refusing = false;

  private constructor(
    private readonly listener: Server,
    private target: { host: string; port: number },
    private readonly random: () => number,
  ) {}

  /** Listens on a free port of 127.0.0.1 (or `port`) and forwards to `target`. */
  static async start(options: {
    target: { host?: string; port: number };
    seed?: number;
    port?: number;
  }): Promise<TcpProxy> {
    const listener = createServer({ noDelay: true });
    const target = { host: '127.0.0.1', ...options.target };
    const proxy = new TcpProxy(listener, target, seededRandom(options.seed ?? 1));
    listener.on('connection', (client) => proxy.accept(client));
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(options.port ?? 0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Open connections. */
  get connections(): number {
    return this.pairs.size;
  }

  /** Resets every open connection. */
  resetAll(): void {
    for (const pair of this.pairs) this.cut(pair);
  }

  /** New connections are reset at once, and open ones now. */
  refuse(): void {
    this.refusing = true;
    this.resetAll();
  }

  /** Ends all faults; what was held back flows on. */
  heal(): void {
    Object.assign(this.toServer, NO_FAULTS);
    Object.assign(this.toClient, NO_FAULTS);
    Object.assign(this.cuts, { beforeRequest: 0, afterRequest: 0 });
    this.refusing = false;
    for (const { flows } of this.pairs) for (const flow of flows) flow.release();
  }

  /** Forwards new connections elsewhere, e.g. to a server restarted on another port. */
  retarget(target: { host?: string; port: number }): void {
    this.target = { host: '127.0.0.1', ...target };
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.listener.close(resolve));
    this.resetAll();
    await closed;
  }

  private accept(client: Socket): void {
    if (this.refusing) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ ...this.target, noDelay: true });
    const up = new Flow(server, this.toServer, this.random);
    const down = new Flow(client, this.toClient, this.random);
    const pair: Pair = { client, server, flows: [up, down] };
    this.pairs.add(pair);
    let doomed = false;
    client.on('data', (chunk) => {
      if (this.random() < this.cuts.beforeRequest) return this.cutCounted(pair);
      if (this.random() < this.cuts.afterRequest) doomed = true;
      up.send(chunk);
    });
    server.on('data', (chunk) => {
      if (doomed) this.cutCounted(pair);
      else down.send(chunk);
    });
    for (const socket of [client, server]) {
      socket.on('error', () => undefined);
      socket.on('close', () => this.cut(pair));
    }
  }

  private cutCounted(pair: Pair): void {
    if (!this.pairs.has(pair)) return;
    this.cutCount++;
    this.cut(pair);
  }

  private cut(pair: Pair): void {
    if (!this.pairs.delete(pair)) return;
    for (const flow of pair.flows) flow.close();
    for (const socket of [pair.client, pair.server]) {
      if (!socket.destroyed) socket.resetAndDestroy();
    }
  }
}
