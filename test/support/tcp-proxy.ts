import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';

/** What happens to the bytes of one direction. */
export interface DirectionFaults {
  /** Delay in milliseconds, plus up to `jitterMs` more; the order is kept. */
  delayMs: number;
  jitterMs: number;
  /** Bytes are held back, as in a network partition; they arrive after `heal`. */
  blackhole: boolean;
  /** Chunks arrive in pieces of so many bytes at most, each with a jitter of its own; 0: whole. */
  sliceBytes: number;
  /**
   * Probability that a chunk is lost. TCP sends it again: it and all behind it come later, by {@link RESENT_MS},
   * twice that when it is lost once more, and so on.
   */
  loss: number;
  /** A narrow link: so many bytes a second, and the sender is made to wait; 0: no bound. */
  bytesPerSecond: number;
}

/** TCP's smallest wait for an acknowledgement before it sends again on Linux, milliseconds. */
const RESENT_MS = 200;
/** What a narrow link keeps for its receiver, bytes; its sender waits with the rest. */
const LINK_BUFFER = 16 * 1024;

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

const NO_FAULTS: DirectionFaults = {
  delayMs: 0,
  jitterMs: 0,
  blackhole: false,
  sliceBytes: 0,
  loss: 0,
  bytesPerSecond: 0,
};

/** One direction of a connection: applies the faults in force when a chunk arrives. */
class Flow {
  private due = 0;
  private held: Buffer[] = [];
  private closed = false;
  /** On the link, in the order of sending: timers of different lengths do not keep it. */
  private readonly link: Buffer[] = [];
  /** Bytes on the link. */
  private waiting = 0;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly faults: DirectionFaults,
    private readonly random: () => number,
    private readonly lost: () => void,
  ) {}

  send(chunk: Buffer): void {
    const { blackhole, sliceBytes } = this.faults;
    if (blackhole) {
      this.held.push(chunk);
      return;
    }
    const bytes = sliceBytes > 0 ? sliceBytes : chunk.length;
    for (let at = 0; at < chunk.length; at += bytes) this.sendOne(chunk.subarray(at, at + bytes));
  }

  private sendOne(chunk: Buffer): void {
    const { delayMs, jitterMs, loss, bytesPerSecond } = this.faults;
    const quick = delayMs === 0 && jitterMs === 0 && loss === 0 && bytesPerSecond === 0;
    if (quick && this.link.length === 0) {
      this.write(chunk);
      return;
    }
    const takes = bytesPerSecond > 0 ? (1_000 * chunk.length) / bytesPerSecond : 0;
    const arrives = Date.now() + delayMs + this.random() * jitterMs + this.resent();
    this.due = Math.max(this.due + takes, arrives);
    this.link.push(chunk);
    this.waiting += chunk.length;
    if (bytesPerSecond > 0 && this.waiting > LINK_BUFFER) this.from.pause();
    setTimeout(() => this.arrived(), this.due - Date.now()).unref();
  }

  private arrived(): void {
    const chunk = this.link.shift()!;
    this.waiting -= chunk.length;
    if (this.waiting <= LINK_BUFFER && this.from.isPaused()) this.from.resume();
    this.write(chunk);
  }

  /** How much later it comes because it was lost, milliseconds. */
  private resent(): number {
    let ms = 0;
    for (let wait = RESENT_MS; this.random() < this.faults.loss; wait *= 2) {
      ms += wait;
      this.lost();
    }
    return ms;
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
  said: Said;
}

/** How the first and the last chunk of a client began. */
export interface Said {
  first: string;
  last: string;
}

/** Of a chunk so much is kept to tell what it was. */
const KEPT_BYTES = 60;

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
  /** Chunks lost so far, and sent again. */
  lostCount = 0;
  private readonly pairs = new Set<Pair>();
  /** Those whose client has vanished. */
  private readonly halfOpen = new Map<Socket, Said>();
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

  /**
   * Every client is gone without a word, as a phone is that loses its network: its own end is over, the
   * server's stays open, and hears nothing any more. How many there were.
   */
  vanishAll(): number {
    const pairs = [...this.pairs];
    for (const pair of pairs) {
      this.pairs.delete(pair);
      for (const flow of pair.flows) flow.close();
      pair.client.destroy();
      this.halfOpen.set(pair.server, pair.said);
      pair.server.on('close', () => this.halfOpen.delete(pair.server));
    }
    return pairs.length;
  }

  /** Of connections whose client has vanished, and which the server has not given up yet. */
  get stillOpen(): Said[] {
    return [...this.halfOpen.values()];
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
    for (const socket of this.halfOpen.keys()) socket.destroy();
    await closed;
  }

  private accept(client: Socket): void {
    if (this.refusing) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ ...this.target, noDelay: true });
    const lost = (): void => void this.lostCount++;
    const up = new Flow(client, server, this.toServer, this.random, lost);
    const down = new Flow(server, client, this.toClient, this.random, lost);
    const pair: Pair = { client, server, flows: [up, down], said: { first: '', last: '' } };
    this.pairs.add(pair);
    let doomed = false;
    client.on('data', (chunk) => {
      pair.said.last = chunk.toString('latin1', 0, KEPT_BYTES);
      pair.said.first ||= pair.said.last;
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
