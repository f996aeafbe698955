import type { SocketHandlers, SocketRefusal, Transport, TransportSocket } from '../src/transport';

/** One socket that a test plays the server of. */
export class FakeSocket implements TransportSocket {
  readonly sent: string[] = [];
  closedWith: number | null = null;
  abandoned = false;
  /** Called with every frame of the client. */
  onFrame: ((frame: Record<string, unknown>) => void) | null = null;

  constructor(
    readonly url: string,
    readonly protocols: string[],
    readonly handlers: SocketHandlers,
  ) {}

  send(text: string): void {
    this.sent.push(text);
    this.onFrame?.(JSON.parse(text) as Record<string, unknown>);
  }

  close(code: number): void {
    this.closedWith = code;
  }

  abandon(): void {
    this.abandoned = true;
  }

  /** The frames that the client sent. */
  frames<T = Record<string, unknown>>(type?: string): T[] {
    const all = this.sent.map((text) => JSON.parse(text) as { type: string });
    return all.filter((f) => type === undefined || f.type === type) as T[];
  }

  /** Plays a frame of the server. */
  receive(frame: object): void {
    this.handlers.frame(JSON.stringify(frame));
  }

  /** Plays the end of the socket. */
  end(code = 1006, reason = ''): void {
    this.handlers.closed(code, reason);
  }

  /** Plays a server that does not open the socket. */
  refuse(refusal: SocketRefusal): void {
    this.handlers.closed(1006, '', refusal);
  }
}

/** Opens sockets that go nowhere. */
export class FakeTransport implements Transport {
  readonly sockets: FakeSocket[] = [];
  /** Called with every new socket. */
  onOpen: ((socket: FakeSocket) => void) | null = null;

  constructor(readonly seesPings = true) {}

  open(url: string, protocols: string[], handlers: SocketHandlers): FakeSocket {
    const socket = new FakeSocket(url, protocols, handlers);
    this.sockets.push(socket);
    this.onOpen?.(socket);
    return socket;
  }

  get last(): FakeSocket {
    return this.sockets.at(-1)!;
  }
}
