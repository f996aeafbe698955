import { createHash, randomBytes } from 'node:crypto';
import { type Socket, connect } from 'node:net';
import { FrameDecoder, OPCODES, closePayload, encodeClientFrame } from './frame-codec';

/** Server frames are at most 256 KiB (protocol.md §2); one byte more is an error. */
const MAX_MESSAGE_BYTES = 256 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
const OPEN_TIMEOUT_MS = 15_000;
/** How long a socket may take to end after a close frame. */
const CLOSE_TIMEOUT_MS = 3000;
/** RFC 6455 §1.3. */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** The connection ended without a close frame (RFC 6455 §7.4.1). */
const ABNORMAL = 1006;

/**
 * All sockets read into this one buffer: what a read brings is decoded before the next read, and
 * what is incomplete is copied. Saves an allocation of 64 KiB per read.
 */
const READ_BUFFER = Buffer.allocUnsafeSlow(256 * 1024);

/** Who gets what a socket receives. */
export interface SocketOwner {
  /** A text message: bytes [start, end), valid only during the call. */
  onText(bytes: Buffer, start: number, end: number): void;
  /** The socket has ended, once, for whatever reason; 1006 without a close frame. */
  onClosed(code: number, reason: string): void;
}

/** Where and how to connect. */
export interface SocketTarget {
  /** `ws://host:port/path` */
  url: string;
  protocols: readonly string[];
  /** source address, e.g. 127.0.0.2 */
  localAddress?: string;
}

/** The server's answer to an upgrade was not 101. */
export class UpgradeRefused extends Error {
  constructor(readonly status: number) {
    super(`the upgrade was answered with status ${status}`);
    this.name = 'UpgradeRefused';
  }
}

/** A minimal WebSocket client (RFC 6455) on a plain socket: text frames, pings answered, no extensions. */
export class RawSocket {
  private readonly socket: Socket;
  private readonly decoder: FrameDecoder;
  private readonly key = randomBytes(16).toString('base64');
  private header = '';
  private open = false;
  private ended = false;
  private closeCode = ABNORMAL;
  private closeReason = '';
  private settle: ((error: Error | null) => void) | null = null;

  private constructor(
    private readonly target: SocketTarget,
    private readonly owner: SocketOwner,
  ) {
    const url = new URL(target.url);
    this.decoder = new FrameDecoder(
      {
        text: (bytes, start, end) => this.owner.onText(bytes, start, end),
        ping: (payload) => this.write(encodeClientFrame(payload, OPCODES.pong)),
        close: (code, reason) => this.closedByServer(code, reason),
      },
      MAX_MESSAGE_BYTES,
    );
    this.socket = connect({
      host: url.hostname,
      port: Number(url.port || 80),
      localAddress: target.localAddress,
      noDelay: true,
      onread: { buffer: READ_BUFFER, callback: (bytes, buffer) => this.read(bytes, buffer) },
    });
    this.socket.once('connect', () => this.socket.write(this.request(url)));
    this.socket.on('error', (error) => this.fail(error));
    this.socket.once('close', () => this.end());
    this.socket.once('end', () => this.socket.end());
  }

  /** Connects and upgrades. Rejects with {@link UpgradeRefused} or the socket's error, within 15 s. */
  static open(target: SocketTarget, owner: SocketOwner): Promise<RawSocket> {
    return new Promise((resolve, reject) => {
      const raw = new RawSocket(target, owner);
      const timer = setTimeout(() => raw.fail(new Error('no answer')), OPEN_TIMEOUT_MS);
      raw.settle = (error) => {
        clearTimeout(timer);
        raw.settle = null;
        if (error) reject(error);
        else resolve(raw);
      };
    });
  }

  /** Sends one encoded frame; the bytes must not change afterwards. Dropped when the socket has ended. */
  write(frame: Buffer): void {
    if (!this.ended) this.socket.write(frame);
  }

  /** Whether frames can be sent. */
  get isOpen(): boolean {
    return this.open && !this.ended;
  }

  /** Closes from our side; `onClosed` follows. */
  close(code = 1000): void {
    if (this.ended) return;
    this.closeCode = code;
    this.write(encodeClientFrame(closePayload(code), OPCODES.close));
    setTimeout(() => this.socket.destroy(), CLOSE_TIMEOUT_MS).unref();
  }

  private request(url: URL): string {
    return [
      `GET ${url.pathname}${url.search} HTTP/1.1`,
      `Host: ${url.host}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Key: ${this.key}`,
      'Sec-WebSocket-Version: 13',
      ...(this.target.protocols.length > 0
        ? [`Sec-WebSocket-Protocol: ${this.target.protocols.join(', ')}`]
        : []),
      '\r\n',
    ].join('\r\n');
  }

  private read(length: number, buffer: Uint8Array): boolean {
    const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, length);
    try {
      if (this.open) this.decoder.push(bytes, length);
      else this.upgrade(bytes);
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
    return true;
  }

  private upgrade(bytes: Buffer): void {
    const before = this.header.length;
    this.header += bytes.toString('latin1');
    const end = this.header.indexOf('\r\n\r\n');
    if (end < 0) {
      if (this.header.length > MAX_HEADER_BYTES) throw new Error('the answer has no end');
      return;
    }
    this.judge(this.header.slice(0, end));
    this.header = '';
    this.open = true;
    this.settle?.(null);
    const rest = bytes.subarray(end + 4 - before);
    if (rest.length > 0) this.decoder.push(rest);
  }

  private judge(header: string): void {
    const [statusLine = '', ...lines] = header.split('\r\n');
    const status = Number(statusLine.split(' ')[1]);
    if (status !== 101) throw new UpgradeRefused(status);
    const fields = new Map(
      lines.map((line): [string, string] => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const accept = createHash('sha1')
      .update(this.key + ACCEPT_GUID)
      .digest('base64');
    if (fields.get('sec-websocket-accept') !== accept)
      throw new Error('wrong Sec-WebSocket-Accept');
    if (fields.get('sec-websocket-protocol') !== this.target.protocols[0]) {
      throw new Error('the server selected another subprotocol');
    }
    if (fields.has('sec-websocket-extensions')) throw new Error('an extension was not asked for');
  }

  private closedByServer(code: number, reason: string): void {
    this.closeCode = code;
    this.closeReason = reason;
    this.write(
      encodeClientFrame(code === 1005 ? Buffer.alloc(0) : closePayload(code), OPCODES.close),
    );
    this.socket.end();
  }

  private fail(error: Error): void {
    if (this.settle) this.settle(error);
    else if (this.closeReason === '') this.closeReason = error.message;
    this.socket.destroy();
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    if (this.settle) this.settle(new Error('the connection ended before the upgrade'));
    else if (this.open) this.owner.onClosed(this.closeCode, this.closeReason);
  }
}
